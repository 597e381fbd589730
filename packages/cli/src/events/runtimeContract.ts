import { fromBinary, fromJson, type Message, toBinary } from "@bufbuild/protobuf"
import type { Contract, Key } from "leat"
import type { Contracts, FoundContract } from "./Contracts.ts"
import { exactForm } from "./json/eventJson.ts"
import type { ExactObject } from "./json/ExactJson.ts"

/** A contract made at run time from what its .proto file says, by reflection: slow, and good enough for a command line. */
export function runtimeContract({ info, message, keyPath }: FoundContract): Contract<Message> {
  return {
    ...info,
    // The generator allows strings, bytes and integers for a key, and nothing else.
    key: (event) => (info.unordered ? undefined : (valueAt(event, keyPath) as Key | undefined)),
    encodeInto: (event, writer) => {
      writer.raw(toBinary(message, event))
    },
    decode: (bytes) => fromBinary(message, bytes)
  }
}

/** Reads an event from protobuf's JSON, or from `{ "event": … }`; throws what is wrong with it. */
export function eventFromJson({ registry }: Contracts, { message }: FoundContract, json: ExactObject): Message {
  const event = json.get("event")
  const hasEventField = message.fields.some(({ name, jsonName }) => name === "event" || jsonName === "event")
  const isWrapped = event !== undefined && json.size === 1 && !hasEventField
  return fromJson(message, exactForm(message, isWrapped ? event : json), { registry })
}

function valueAt(event: Message, path: ReadonlyArray<string>): unknown {
  return path.reduce<unknown>((held, name) => (held as Readonly<Record<string, unknown>> | undefined)?.[name], event)
}
