/** What declarations of `.proto` files are called in TypeScript. */
import type { DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf"

/** Words that cannot be the name of a variable in a module. */
const words = new Set(
  `break case catch class const continue debugger default delete do else enum export extends false finally for function if
  implements import in instanceof interface let new null package private protected public return static super switch this
  throw true try typeof var void while with yield
  arguments await eval undefined NaN Infinity`.split(/\s+/)
)

/** Words that cannot be the name of a type, and names that a message must leave to the generated code. */
const typeWords = new Set([
  ...words,
  ..."any bigint boolean never number object string symbol unknown".split(" "),
  "globalThis",
  "codec",
  // Their functions would be called `writer` and `reader`.
  "r",
  "er"
])

/** Globals that generated code uses; in a file with a message of such a name it says `globalThis.Map`. */
export const globals = ["Array", "Map", "Readonly", "ReadonlyArray", "ReadonlyMap", "Record", "Uint8Array"] as const
export type Global = (typeof globals)[number]

/** The proto name without its package, dots as underscores; `$` behind it where TypeScript has another use for the word. */
export function typeName(desc: DescMessage | DescEnum): string {
  const prefix = desc.file.proto.package === "" ? "" : `${desc.file.proto.package}.`
  const name = desc.typeName.slice(prefix.length).replaceAll(".", "_")
  return typeWords.has(name) ? `${name}$` : name
}

/** Whether a variable can have this name. */
export function isVariableName(name: string): boolean {
  return /^[A-Za-z_$][\w$]*$/.test(name) && !words.has(name)
}

/** Whether `message.name` can be written. */
export function isPropertyName(name: string): boolean {
  return /^[A-Za-z_$][\w$]*$/.test(name)
}

function withNested(message: DescMessage): Array<DescMessage> {
  return [message, ...message.nestedMessages.flatMap(withNested)]
}

/** The messages and enums of a file, nested ones included, in the order of the generated code. */
export function declarations(file: DescFile): {
  readonly enums: ReadonlyArray<DescEnum>
  readonly messages: ReadonlyArray<DescMessage>
} {
  const messages = file.messages.flatMap(withNested)
  return { messages, enums: [...file.enums, ...messages.flatMap(({ nestedEnums }) => nestedEnums)] }
}
