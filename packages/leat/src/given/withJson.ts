/**
 * A row as it is, which can also be written as JSON: its bigints as text. JSON has none, and throws at the first. What does so is not enumerable, so that rows
 * print, compare and copy as before; a copy has it not.
 */
export function withJson<A extends object>(row: A): A {
  return Object.defineProperty(row, "toJSON", { value: asJson, enumerable: false, configurable: true })
}

function asJson(this: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(this).map(([name, value]) => [name, typeof value === "bigint" ? String(value) : (value as unknown)])
  )
}
