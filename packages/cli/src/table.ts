import { printable } from "./outcome.ts"

/** Rows under headings, in columns as wide as they need; numbers stand to the right. */
export function table(
  headings: ReadonlyArray<string>,
  cells: ReadonlyArray<ReadonlyArray<string | number | bigint>>
): string {
  const rows = cells.map((row) => row.map((cell) => (typeof cell === "string" ? printable(cell) : cell)))
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => String(row[column] ?? "").length))
  )
  const isNumber = headings.map((_, column) => rows.every((row) => typeof row[column] !== "string"))
  const line = (row: ReadonlyArray<string | number | bigint>) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return isNumber[column] === true ? String(cell).padStart(width) : String(cell).padEnd(width)
      })
      .join("  ")
      .trimEnd()
  return [headings, ...rows].map(line).join("\n")
}
