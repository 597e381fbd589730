import {
  createRegistry,
  type DescMessage,
  type JsonValue,
  type Message,
  type Registry,
  toJson
} from "@bufbuild/protobuf"
import { Effect, type Option } from "effect"
import type { ContractInfo } from "leat"
import { contractInfo, readContracts } from "../contracts/readContracts.ts"
import { CommandFailure, exitCode } from "../outcome.ts"

/** A contract as it was found in .proto files, at run time. */
export interface FoundContract {
  readonly info: ContractInfo
  readonly message: DescMessage
  /** Property names from the event down to its key. */
  readonly keyPath: ReadonlyArray<string>
}

/** The contracts of a folder, by what tells which one an event has. */
export class Contracts {
  readonly #all: ReadonlyArray<FoundContract>
  readonly registry: Registry

  constructor(all: ReadonlyArray<FoundContract>, registry: Registry) {
    this.#all = all
    this.registry = registry
  }

  ofStream(stream: string): FoundContract | undefined {
    return this.#all.find(({ info }) => info.stream === stream)
  }

  ofType(name: string): FoundContract | undefined {
    return this.#all.find(({ info }) => info.name === name)
  }

  /** The contract that was named by its type; misuse where there is none. */
  named(type: string): Effect.Effect<FoundContract, CommandFailure> {
    return this.#found(this.ofType(type), `no contract ${type}`, ({ name }) => name)
  }

  /** The contract of a stream that was named. */
  namedStream(stream: string): Effect.Effect<FoundContract, CommandFailure> {
    return this.#found(this.ofStream(stream), `no contract of a stream ${stream}`, (info) => info.stream)
  }

  /** The event in protobuf's own JSON. */
  toJson({ message }: FoundContract, event: Message): JsonValue {
    return toJson(message, event, { registry: this.registry })
  }

  #found(found: FoundContract | undefined, what: string, name: (info: ContractInfo) => string) {
    if (found !== undefined) return Effect.succeed(found)
    const known = this.#all.map(({ info }) => name(info)).join(", ")
    const message = `there is ${what} in the .proto files; ${known === "" ? "name their folder by --proto" : `there is ${known}`}`
    return Effect.fail(new CommandFailure({ code: exitCode.misuse, message }))
  }
}

/** Reads the contracts of a folder; none where no folder is named and there is none called `proto`. */
export const findContractsIn = (proto: Option.Option<string>): Effect.Effect<Contracts, CommandFailure> =>
  Effect.map(readContracts(proto), ({ contracts, files }) => {
    const found = contracts.map((options): FoundContract => ({
      info: contractInfo(options),
      message: options.message,
      keyPath: options.keyPath.map(({ localName }) => localName)
    }))
    return new Contracts(found, createRegistry(...files))
  })
