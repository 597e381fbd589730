import { connect } from "node:net"
import type { Socket } from "node:net"
import type { Pace } from "./FaultPipe.ts"
import { FaultPipe } from "./FaultPipe.ts"
import { FrameSplitter } from "./FrameSplitter.ts"
import type { ProtocolFault, RequestHeader } from "./ProtocolFault.ts"
import { correlationIdOf, requestHeader } from "./ProtocolFault.ts"

export interface ProxyRules {
  readonly requests: Readonly<Pace>
  readonly responses: Readonly<Pace>
  /** Told of every request; gives the fault that meets it. */
  readonly faultFor: (header: RequestHeader) => ProtocolFault | undefined
}

/** A client's connection and the one to the broker that belongs to it. */
export class ProxiedConnection {
  readonly #client: Socket
  readonly #broker: Socket
  readonly #rules: ProxyRules
  readonly #requests: FaultPipe
  readonly #responses: FaultPipe
  /** Requests that the broker gets and whose answers are lost, by correlation id. */
  readonly #doomed = new Map<number, { readonly fault: ProtocolFault; readonly header: RequestHeader }>()
  #isSilent = false

  constructor(client: Socket, brokerPort: number, rules: ProxyRules, closed: () => void) {
    this.#client = client
    this.#broker = connect({ host: "127.0.0.1", port: brokerPort, allowHalfOpen: true, noDelay: true })
    this.#rules = rules
    this.#requests = new FaultPipe(client, this.#broker, rules.requests)
    this.#responses = new FaultPipe(this.#broker, client, rules.responses)
    this.#forward(client, this.#requests, (frame) => this.#onRequest(frame))
    this.#forward(this.#broker, this.#responses, (frame) => this.#onResponse(frame))
    for (const socket of [client, this.#broker]) {
      // An error on one side is one on the other: what it cannot hear as an end, it hears as a reset.
      socket.on("error", () => this.reset())
      socket.on("close", () => {
        if (client.destroyed && this.#broker.destroyed) closed()
      })
    }
  }

  /** The pace has changed. */
  pump(): void {
    this.#requests.pump()
    this.#responses.pump()
  }

  /** Ends both sides; with RST where nothing has told them of an end yet. */
  reset(): void {
    this.#requests.destroy()
    this.#responses.destroy()
    for (const socket of [this.#client, this.#broker]) {
      // A socket that is not connected yet has nobody to reset. One that is being shut down refuses it, and Node takes the handle for closed
      // and waits for that at the end of the process, for ever.
      if (socket.connecting || socket.writableEnded) socket.destroy()
      else if (!socket.destroyed) socket.resetAndDestroy()
    }
  }

  #forward(from: Socket, pipe: FaultPipe, onFrame: (frame: Buffer) => void): void {
    const splitter = new FrameSplitter()
    from.on("data", (chunk: Buffer) => {
      for (const frame of splitter.push(chunk)) onFrame(frame)
    })
    from.on("end", () => {
      const rest = splitter.rest()
      if (rest.length > 0) pipe.send(rest)
      pipe.end()
    })
  }

  #onRequest(frame: Buffer): void {
    const header = requestHeader(frame)
    const fault = header === undefined ? undefined : this.#rules.faultFor(header)
    if (header === undefined || fault === undefined) return this.#requests.send(frame)
    if (fault.kind !== "cut mid-frame") {
      this.#doomed.set(header.correlationId, { fault, header })
      return this.#requests.send(frame)
    }
    this.#requests.send(frame.subarray(0, frame.length >> 1), () => {
      this.reset()
      fault.done(header)
    })
  }

  #onResponse(frame: Buffer): void {
    // After a lost answer nothing more arrives on its connection, as no later byte overtakes a lost one in TCP.
    if (this.#isSilent) return
    const correlationId = correlationIdOf(frame)
    const doomed = correlationId === undefined ? undefined : this.#doomed.get(correlationId)
    if (doomed === undefined) return this.#responses.send(frame)
    this.#isSilent = true
    if (doomed.fault.kind === "drop response, then reset") this.reset()
    doomed.fault.done(doomed.header)
  }
}
