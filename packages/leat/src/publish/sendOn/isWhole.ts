import type { PartitionBounds } from "../../transport/index.ts"

/** Whether what a driver says of a partition are positions: nobody could reckon with anything else. */
export function isWhole({ start, settled, end }: PartitionBounds): boolean {
  const isSettledWhole = settled === undefined || typeof settled === "bigint"
  return isSettledWhole && typeof start === "bigint" && typeof end === "bigint"
}
