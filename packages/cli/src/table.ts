/** Rows under headings, in columns as wide as they need; numbers stand to the right. */
export function table(
  headings: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number | bigint>>
): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => String(row[column] ?? "").length))
  )
  const isNumber = headings.map((_, column) => rows.every((row) => typeof row[column] !== "string"))
  const line = (cells: ReadonlyArray<string | number | bigint>) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return isNumber[column] === true ? String(cell).padStart(width) : String(cell).padEnd(width)
      })
      .join("  ")
      .trimEnd()
  return [headings, ...rows].map(line).join("\n")
}
