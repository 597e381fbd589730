import { randomBytes } from "node:crypto"
import { isContinuousIntegration } from "@leat/brokers"
import { afterAll, inject, it } from "vitest"
import { type ForeignClient, PeerClient } from "./ForeignClient.ts"
import { KcatClient } from "./KcatClient.ts"
import { isMissing } from "./programs/Program.ts"
import type { ForeignPrograms } from "./vitestSetup.ts"

export type ForeignName = keyof ForeignPrograms
export const foreignNames = ["java", "python", "kcat"] as const satisfies ReadonlyArray<ForeignName>

/** What a client must be told to partition as Java's does; Java's itself needs nothing, and librdkafka has another default. */
export const javaPartitioner = (name: ForeignName) => (name === "java" ? undefined : "murmur2_random")

/** The foreign clients of one suite; each is started when a test first asks for it, and ends with the suite. */
export class Foreign {
  readonly #bootstrap: string
  readonly #clients = new Map<ForeignName, ForeignClient>()

  constructor(bootstrap: string) {
    this.#bootstrap = bootstrap
    afterAll(async () => {
      await Promise.all(Array.from(this.#clients.values(), (client) => client.close()))
    })
  }

  client(name: ForeignName): ForeignClient {
    const found = this.#clients.get(name) ?? this.#start(name)
    this.#clients.set(name, found)
    return found
  }

  /** A test that needs these programs. Where one of them is missing it is skipped, and its name says why; in CI it fails. */
  it(names: ReadonlyArray<ForeignName>, title: string, body: () => Promise<void>): void {
    const programs = inject("foreignPrograms")
    const reasons = names.flatMap((name) => {
      const program = programs[name]
      return isMissing(program) ? [program.reason] : []
    })
    const isSkipped = reasons.length > 0 && !isContinuousIntegration()
    // oxlint-disable-next-line vitest/valid-title, vitest/expect-expect
    it.skipIf(isSkipped)(isSkipped ? `${title} (skipped: ${reasons.join("; ")})` : title, async () => {
      if (reasons.length > 0) throw new Error(`CI needs all programs: ${reasons.join("; ")}`)
      await body()
    })
  }

  #start(name: ForeignName): ForeignClient {
    const program = inject("foreignPrograms")[name]
    if (isMissing(program)) throw new Error(program.reason)
    const Client = name === "kcat" ? KcatClient : PeerClient
    return new Client(program, this.#bootstrap, inject("descriptorSet"))
  }
}

/** A prefix for topics and groups that no other run on the same broker has. */
export const uniqueName = (): string => `interoperability-${randomBytes(6).toString("hex")}`
