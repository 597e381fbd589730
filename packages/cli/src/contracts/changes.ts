import { type ContractOptions, locate } from "protoc-gen-leat"

/** What buf cannot see of the changes between two revisions, because it stands in a custom option. */
export function changes(
  before: ReadonlyArray<ContractOptions>,
  after: ReadonlyArray<ContractOptions>
): ReadonlyArray<string> {
  return before.flatMap((old) => {
    const name = old.message.typeName
    const now = after.find(({ message }) => message.typeName === name)
    if (now === undefined)
      return [
        `${name}: the contract of stream ${old.stream} is gone; its consumers would starve, keep it until they are`
      ]
    const found: Array<string> = []
    const differs = (what: string, was: unknown, is: unknown, why: string) => {
      if (was !== is)
        found.push(
          `${locate(now.message)}: ${name}: ${what} changed from ${String(was)} to ${String(is)}; ${why}, make a new contract instead`
        )
    }
    differs("the stream", old.stream, now.stream, "consumers of the old stream would get nothing")
    differs("the key", keyOf(old), keyOf(now), "events of one key would lose their order")
    differs("the number of buckets", old.buckets, now.buckets, "sequences are counted per bucket")
    differs("`compacted`", old.compacted, now.compacted, "stored events would be kept or lost differently")
    return found
  })
}

function keyOf({ keyPath, unordered }: ContractOptions): string {
  return unordered ? "no key" : keyPath.map(({ name }) => name).join(".")
}
