import { createServer } from "node:net"
import type { Server } from "node:net"
import type { Pace } from "./FaultPipe.ts"
import { ProtocolFault } from "./ProtocolFault.ts"
import type { FaultHandle, FaultKind, RequestHeader, RequestMatch } from "./ProtocolFault.ts"
import { ProxiedConnection } from "./ProxiedConnection.ts"

export type Direction = "requests" | "responses"

/** Stands between clients and one broker, and does to their connections what networks do. */
export class FaultProxy {
  readonly port: number
  readonly #brokerPort: number
  readonly #connections = new Set<ProxiedConnection>()
  readonly #pace: Readonly<Record<Direction, Pace>> = {
    requests: { delayMs: 0, isFrozen: false },
    responses: { delayMs: 0, isFrozen: false }
  }
  readonly #requestsSeen = new Map<number, number>()
  #faults: ReadonlyArray<ProtocolFault> = []
  #server: Server | undefined

  constructor(port: number, brokerPort: number) {
    this.port = port
    this.#brokerPort = brokerPort
  }

  get connections(): number {
    return this.#connections.size
  }

  /** How many requests with this API key have come in so far. */
  requestsSeen(apiKey: number): number {
    return this.#requestsSeen.get(apiKey) ?? 0
  }

  /** Takes connections: at first, and again after `cut`. */
  async heal(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      const rules = { ...this.#pace, faultFor: (header: RequestHeader) => this.#faultFor(header) }
      const connection = new ProxiedConnection(client, this.#brokerPort, rules, () => {
        this.#connections.delete(connection)
      })
      this.#connections.add(connection)
    })
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject)
      server.listen({ port: this.port, host: "127.0.0.1" }, resolve)
    })
    this.#server = server
  }

  /** Resets all connections and refuses new ones until `heal`. */
  async cut(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    const closed = new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)))
    for (const connection of this.#connections) connection.reset()
    await closed
  }

  /** From now on every byte of a direction arrives this much later; order stays. */
  delay(delays: Readonly<Partial<Record<Direction, number>>>): void {
    for (const direction of ["requests", "responses"] as const) this.#pace[direction].delayMs = delays[direction] ?? 0
  }

  /** Holds all bytes of one direction, or of both; connections stay open. New connections are held as well. */
  freeze(...directions: ReadonlyArray<Direction>): void {
    for (const direction of directions.length === 0 ? (["requests", "responses"] as const) : directions) {
      this.#pace[direction].isFrozen = true
    }
  }

  /** Ends delay and freeze, and lets the held bytes go. */
  pass(): void {
    for (const pace of Object.values(this.#pace)) {
      pace.delayMs = 0
      pace.isFrozen = false
    }
    for (const connection of this.#connections) connection.pump()
  }

  /**
   * The broker gets the request and answers; the answer is lost. Then the connection stays open and silent, or is reset. A produce
   * request that wants no acknowledgement has no answer to lose.
   */
  dropResponse({ then, ...match }: RequestMatch & { readonly then: "hold" | "reset" }): FaultHandle {
    return this.#arm(then === "hold" ? "drop response, then hold" : "drop response, then reset", match)
  }

  /** The broker gets the first half of the request, then both sides get a reset. */
  cutMidFrame(match: RequestMatch): FaultHandle {
    return this.#arm("cut mid-frame", match)
  }

  async close(): Promise<void> {
    await this.cut()
  }

  #arm(kind: FaultKind, match: RequestMatch): FaultHandle {
    const fault = new ProtocolFault(kind, match)
    this.#faults = [...this.#faults, fault]
    return { happened: fault.happened, cancel: () => this.#disarm(fault) }
  }

  #disarm(fault: ProtocolFault): void {
    this.#faults = this.#faults.filter((one) => one !== fault)
  }

  #faultFor(header: RequestHeader): ProtocolFault | undefined {
    this.#requestsSeen.set(header.apiKey, this.requestsSeen(header.apiKey) + 1)
    // A request that one fault takes does not count for those armed after it.
    const met = this.#faults.find((fault) => fault.meets(header))
    if (met !== undefined) this.#disarm(met)
    return met
  }
}
