import {
  type DescExtension,
  type DescField,
  type DescFile,
  type DescMessage,
  getOption,
  hasOption,
  ScalarType
} from "@bufbuild/protobuf"
import { locate } from "./locate.ts"
import { declarations } from "./names.ts"
import { personalPaths } from "./personalPaths.ts"
import { findUnsupported } from "./unsupported.ts"

/** What the option `(leat.v1.event)` says of a message, checked: what a generated contract has, as descriptors. */
export interface ContractOptions {
  /** The message that carries the option. */
  readonly message: DescMessage
  /** Logical stream: `risk.beacons.sighting`. */
  readonly stream: string
  /** The fields from the message down to the key; empty when unordered. */
  readonly keyPath: ReadonlyArray<DescField>
  /** 1 to 65,536; 3840 when the option says none. */
  readonly buckets: number
  readonly compacted: boolean
  readonly unordered: boolean
  /** `order`, `replay`, `fsync`, `quorum`, `compaction`. */
  readonly needs: ReadonlyArray<string>
  /** Property paths of personal data, in the form that `ContractInfo.personal` of leat has. */
  readonly personal: ReadonlyArray<string>
}

/** The message of the option, as its descriptor says it. */
interface EventOption {
  readonly stream: string
  readonly key: string
  readonly buckets: number
  readonly compacted: boolean
  readonly unordered: boolean
  readonly needs: ReadonlyArray<number>
}

const bucketsDefault = 3840
const bucketsMax = 65_536

/** Kafka's topics allow no more, and a stream is a topic's name by default. */
const streamLengthMax = 200

const needNames: Readonly<Record<number, string>> = {
  1: "order",
  2: "replay",
  3: "fsync",
  4: "quorum",
  5: "compaction"
}

/**
 * Finds every contract of the files, and every fault: text of the form `file:line: what is wrong; what to do`. Faults that
 * only matter to generated code are looked for in `generated`. Never throws.
 *
 * @example
 * ```ts
 * const files = [...createFileRegistry(fromBinary(FileDescriptorSetSchema, image)).files] // image: of `buf build -o image.binpb`
 * const { contracts, faults } = findContracts(files)
 * for (const { stream } of contracts.values()) console.log(stream) // risk.beacons.sighting
 * ```
 */
export function findContracts(
  files: ReadonlyArray<DescFile>,
  generated = files.filter(isGenerated)
): {
  readonly contracts: ReadonlyMap<DescMessage, ContractOptions>
  readonly faults: ReadonlyArray<string>
} {
  const contracts = new Map<DescMessage, ContractOptions>()
  const faults = [...findUnsupported(generated)]
  const extensions = files.flatMap((file) => file.extensions)
  const event = extensions.find(({ typeName }) => typeName === "leat.v1.event")
  const personal = extensions.find(({ typeName }) => typeName === "leat.v1.personal")
  if (event === undefined) return { contracts, faults }
  const streams = new Map<string, DescMessage>()
  for (const message of files.flatMap((file) => declarations(file).messages)) {
    if (!hasOption(message, event)) continue
    const options = getOption(message, event) as EventOption
    const fault = (text: string) => faults.push(`${locate(message)}: ${message.typeName}: ${text}`)
    const found = contractOf(message, options, personal, fault)
    const other = streams.get(options.stream)
    if (other !== undefined) {
      fault(
        `stream ${options.stream} belongs to ${other.typeName} (${locate(other)}) already; give each contract a stream of its own`
      )
    }
    streams.set(options.stream, message)
    contracts.set(message, found)
  }
  return { contracts, faults }
}

/**
 * Files that hold nothing but options and well-known types are not generated: leat's codec has what is needed of them.
 *
 * @example
 * ```ts
 * const own = files.filter(isGenerated).map(({ name }) => name) // ["risk/v1/beacon"]
 * ```
 */
export function isGenerated({ name, messages, enums }: DescFile): boolean {
  return !name.startsWith("google/protobuf/") && name !== "leat/v1/event" && messages.length + enums.length > 0
}

function contractOf(
  message: DescMessage,
  options: EventOption,
  personal: DescExtension | undefined,
  fault: (text: string) => void
): ContractOptions {
  const { stream, key, buckets, compacted, unordered } = options
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(stream) || stream.length > streamLengthMax) {
    fault(
      `stream ${JSON.stringify(stream)} is not a name; write lower-case words with dots between them, at most ${streamLengthMax} characters`
    )
  }
  if (buckets > bucketsMax) fault(`${buckets} buckets are too many; the limit is ${bucketsMax}`)
  if (key === "" && !unordered) {
    fault(
      compacted
        ? "a compacted contract needs a key; name the field that later events replace each other by"
        : "name a key, or say `unordered: true`"
    )
  }
  if (unordered && key !== "") fault(`it is unordered and has the key ${key}; remove one of the two`)
  if (unordered && compacted) fault("it is unordered and compacted; a compacted contract needs a key")
  return {
    message,
    stream,
    keyPath: key === "" ? [] : keyPathOf(message, key, fault),
    buckets: buckets === 0 ? bucketsDefault : buckets,
    compacted,
    unordered,
    needs: needsOf(options, fault),
    personal: personal === undefined ? [] : personalPaths(message, personal)
  }
}

function needsOf({ needs, unordered }: EventOption, fault: (text: string) => void): ReadonlyArray<string> {
  return [...new Set(needs)].flatMap((need) => {
    const name = needNames[need]
    if (name === undefined) {
      fault(
        need === 0
          ? "it needs NEED_UNSPECIFIED, which says nothing; remove it"
          : `the need ${need} is not known here; update leat`
      )
      return []
    }
    if (name === "order" && unordered) fault("it is unordered and needs order; remove one of the two")
    return [name]
  })
}

function keyPathOf(message: DescMessage, key: string, fault: (text: string) => void): ReadonlyArray<DescField> {
  const path: Array<DescField> = []
  let within: DescMessage | undefined = message
  for (const name of key.split(".")) {
    const outer = path.at(-1)
    if (within === undefined) {
      const reason =
        outer?.fieldKind === "list" || outer?.fieldKind === "map"
          ? `goes through ${outer.name}, which holds many`
          : `goes into ${outer?.name}, which is no message`
      fault(`the key ${key} ${reason}; take a field that an event has once`)
      return []
    }
    const field: DescField | undefined = within.fields.find((one) => one.name === name)
    if (field === undefined) {
      const known = within.fields.map((one) => one.name).join(", ")
      fault(
        `the key ${key} does not exist: ${within.typeName} has ${known === "" ? "no fields" : known}; name one that it has`
      )
      return []
    }
    if (field.oneof !== undefined) {
      fault(
        `the key ${key} goes through the oneof ${field.oneof.name}, so that an event may have none; take a field that is always there`
      )
      return []
    }
    path.push(field)
    within = field.fieldKind === "message" ? field.message : undefined
  }
  const last = path.at(-1)
  if (last === undefined || last.fieldKind !== "scalar" || !isKeyType(last.scalar)) {
    fault(`the key ${key} is no string, bytes or integer; take a field that is`)
  }
  return path
}

function isKeyType(type: ScalarType): boolean {
  return type !== ScalarType.BOOL && type !== ScalarType.DOUBLE && type !== ScalarType.FLOAT
}
