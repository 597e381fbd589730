import type { RouteFault } from "./RouteDocument.ts"

/** The fault of a number that is not within its bounds. */
export function within(
  path: string,
  value: number | undefined,
  [min, max, unit]: readonly [number, number, string]
): ReadonlyArray<RouteFault> {
  if (value === undefined || (value >= min && value <= max)) return []
  return [{ path, message: `${value} is not between ${min} and ${max} ${unit}` }]
}
