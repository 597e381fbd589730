/** A comment of the `.proto` file as a doc comment. */
export function commentLines(comment: string, indent: string): ReadonlyArray<string> {
  const lines = comment
    .trim()
    .split("\n")
    .map((line) => line.trim().replaceAll("*/", "* /"))
  if (lines.length === 1) return lines[0] === "" ? [] : [`${indent}/** ${lines[0]} */`]
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`]
}
