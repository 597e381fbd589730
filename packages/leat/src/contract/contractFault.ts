import type { Contract, ContractInfo } from "./Contract.ts"
import { isObject, kindOf } from "../given/takes.ts"
import { nameFault } from "../given/nameFault.ts"

/** Longest name of a stream in bytes of UTF-8: Kafka's limit for a topic of that name is 249 characters, which the route is asked for. */
const streamBytesMax = 1024

/** Why a value is no contract, one sentence; undefined: it is one. */
export function noContract(value: unknown): string | undefined {
  const isContract =
    isObject(value) &&
    typeof value["stream"] === "string" &&
    typeof value["name"] === "string" &&
    typeof value["buckets"] === "number" &&
    Array.isArray(value["needs"])
  if (isContract) return streamFault(value["stream"])
  return `is no contract, but ${kindOf(value)}: a contract is imported from the code that \`leat contracts gen\` has made of a .proto file`
}

/** Generated code has streams of lower-case words with dots between them; what is written by hand has at least a name that can be stored. */
function streamFault(stream: unknown): string | undefined {
  const message = nameFault("a stream", stream, streamBytesMax)
  if (message !== undefined || typeof stream !== "string" || !/[*{}/]/.test(stream)) return message
  const name = `the name ${JSON.stringify(stream)} of a stream`
  // In the id of an event as text.
  if (stream.includes("/")) return `${name} holds a slash, which ends it in the ids of its events`
  return `${name} holds a star or a brace, which stand for others in routes`
}

/**
 * Why `asked` is another contract than the one that its stream is open with; undefined: it is the same. Two copies of one generated file are
 * one contract, and two generations of it are not: what one of them adds would not be written, or printed where the other masks it.
 *
 * @example
 * ```ts
 * contractFault(opened.contract, contract)
 * // "stream shop.orders is open with the contract shop.v1.Order; a stream has one contract, and not shop.v2.Order too"
 * ```
 */
export function contractFault(open: ContractInfo, asked: ContractInfo): string | undefined {
  const differing = (Object.keys(told) as ReadonlyArray<keyof typeof told>).filter(
    (field) => told[field](open) !== told[field](asked)
  )
  if (differing.length === 0) return generationFault(open, asked)
  const says = (contract: ContractInfo) => {
    const details = differing.filter((field) => field !== "name").map((field) => told[field](contract))
    return details.length === 0 ? contract.name : `${contract.name} (${details.join(", ")})`
  }
  return `stream ${open.stream} is open with the contract ${says(open)}; a stream has one contract, and not ${says(asked)} too`
}

function generationFault(open: ContractInfo, asked: ContractInfo): string | undefined {
  const says = (what: string) =>
    `stream ${open.stream} is open with another generation of the contract ${open.name}, which ${what}; let all code of this process import the same one`
  if (!isSameLayout(open, asked)) return says("has other fields")
  return personalOf(open) === personalOf(asked) ? undefined : says("masks other personal data")
}

function isSameLayout(open: ContractInfo, asked: ContractInfo): boolean {
  if (open.layout !== undefined && asked.layout !== undefined) return open.layout === asked.layout
  return codes.every((name) => codeOf(open, name) === codeOf(asked, name))
}

const codes = ["key", "encodeInto", "decode"] as const

/** As text: each copy of a file has functions of its own. */
function codeOf(contract: Partial<Contract<unknown>>, name: (typeof codes)[number]): string {
  return String(contract[name])
}

function personalOf({ personal }: ContractInfo): string {
  return personal.toSorted().join()
}

const told = {
  name: ({ name }: ContractInfo) => name,
  stream: ({ stream }: ContractInfo) => `stream ${stream}`,
  buckets: ({ buckets }: ContractInfo) => `${buckets} buckets`,
  keyPath: ({ keyPath }: ContractInfo) => `key ${keyPath ?? "none"}`,
  compacted: ({ compacted }: ContractInfo) => (compacted ? "compacted" : "not compacted"),
  unordered: ({ unordered }: ContractInfo) => (unordered ? "unordered" : "ordered"),
  needs: ({ needs }: ContractInfo) => `needs ${needs.length === 0 ? "nothing" : needs.toSorted().join(" and ")}`
}
