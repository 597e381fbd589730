/** Where something stands in a document, as its faults say it: `routes[0].to[1].topic`. */
export function pathText(path: ReadonlyArray<PropertyKey>): string {
  let text = ""
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`
    else text += text === "" ? String(key) : `.${String(key)}`
  }
  return text
}
