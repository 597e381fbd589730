import { EventEmitter } from "node:events"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { Signals } from "../src/Signals.ts"

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }))
afterEach(() => void vi.useRealTimers())

function start() {
  const source = new EventEmitter()
  const exits: Array<number> = []
  const signals = new Signals({ on: (name, listener) => source.on(name, listener), exit: (code) => exits.push(code) })
  return { source, exits, signals }
}

describe("signals", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const)("%s asks the job to stop; without one its exit code is a failure", (name, code) => {
    const { source, exits, signals } = start()
    expect([signals.first, signals.exitCode]).toEqual([undefined, 1])
    source.emit(name)
    expect([signals.first, signals.exitCode, exits]).toEqual([name, code, []])
  })

  it("that come again at once are one, which npm has passed on; a later one ends the job with its own code", () => {
    const { source, exits, signals } = start()
    source.emit("SIGINT")
    for (const ms of [0, 100, 150]) {
      vi.advanceTimersByTime(ms)
      source.emit("SIGINT")
    }
    expect([signals.first, exits]).toEqual(["SIGINT", []])
    vi.advanceTimersByTime(1)
    source.emit("SIGTERM")
    expect([signals.first, signals.exitCode, exits]).toEqual(["SIGINT", 130, [143]])
  })
})
