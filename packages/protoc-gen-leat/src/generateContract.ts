import type { ContractOptions } from "./contracts.ts"
import { layoutOf } from "./layoutOf.ts"
import { typeName } from "./names.ts"
import { hasPresence } from "./presence.ts"
import type { Scope } from "./Scope.ts"

/** The contract of an event, under the name of its type. */
export function generateContract(options: ContractOptions, scope: Scope): string {
  const { message, stream, keyPath, buckets, compacted, unordered, needs, personal } = options
  const name = typeName(message)
  const contract = scope.import("leat/contract", "Contract", true)
  const list = (items: ReadonlyArray<string>) => `[${items.map((item) => JSON.stringify(item)).join(", ")}]`
  const keyText = keyPath.length === 0 ? "undefined" : JSON.stringify(keyPath.map((field) => field.name).join("."))
  const access = keyPath.map((field, index) => {
    const previous = keyPath[index - 1]
    return `${previous !== undefined && hasPresence(previous) ? "?" : ""}.${field.localName}`
  })
  return [
    `/** Contract of the stream \`${stream}\`. */`,
    `export const ${name}: ${contract}<${name}> = {`,
    `  name: ${JSON.stringify(message.typeName)},`,
    `  stream: ${JSON.stringify(stream)},`,
    `  buckets: ${buckets},`,
    `  compacted: ${compacted},`,
    `  unordered: ${unordered},`,
    `  needs: ${list(needs)},`,
    `  keyPath: ${keyText},`,
    `  personal: ${list(personal)},`,
    `  layout: ${JSON.stringify(layoutOf(message))},`,
    keyPath.length === 0 ? "  key: () => undefined," : `  key: (event) => event${access.join("")},`,
    `  encodeInto: (event, writer) => codec.encodeWith(${JSON.stringify(name)}, event, writer, write${name}),`,
    `  decode: (bytes) => codec.decodeWith(${JSON.stringify(message.typeName)}, bytes, read${name})`,
    "}"
  ].join("\n")
}
