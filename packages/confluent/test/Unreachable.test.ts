import { describe, expect, it } from "vitest"
import { Unreachable } from "../src/client/Unreachable.ts"

const heard = (...messages: ReadonlyArray<string>) => {
  const brokers = new Unreachable()
  for (const message of messages) expect(brokers.heard({ fac: "FAIL", message })).toBe(true)
  return brokers.why
}
const refused = (address: string) =>
  `[thrd:${address}/bootstrap]: ${address}/bootstrap: Connect to ipv4#${address} failed: Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)`

describe("why brokers cannot be reached", () => {
  it("is what librdkafka's log says of each address, without its own words around it", () => {
    expect(heard(refused("127.0.0.1:1"), refused("127.0.0.1:2"), refused("127.0.0.1:1"))).toBe(
      "127.0.0.1:1: Connect to ipv4#127.0.0.1:1 failed: Connection refused; " +
        "127.0.0.1:2: Connect to ipv4#127.0.0.1:2 failed: Connection refused"
    )
  })

  it("keeps the longer of two that say the same, and else the last", () => {
    const tls = (text: string) =>
      `[thrd:ssl://[::1]:9092/3]: ssl://[::1]:9092/3: ${text} (after 0ms in state SSL_HANDSHAKE)`
    const short = "Disconnected: SSL connection closed by peer"
    const long = `SSL handshake failed: ${short}: connecting to a PLAINTEXT broker listener?`
    expect(heard(tls(short), tls(long), tls(short))).toBe(`[::1]:9092: ${long}`)
    expect(heard(tls(long), tls("Connection refused"))).toBe("[::1]:9092: Connection refused")
  })

  it("names three brokers, and counts the others", () => {
    const why = heard(...["k1:1", "k2:1", "k3:1", "k4:1", "k5:1"].map(refused))
    expect(why).toMatch(/^k1:1: .*; k2:1: .*; k3:1: .*; and 2 more$/)
  })

  it("is not known from other entries", () => {
    const brokers = new Unreachable()
    expect(brokers.heard({ fac: "CONFWARN", message: refused("k1:1") })).toBe(false)
    expect(brokers.heard({ fac: "FAIL", message: "no address" })).toBe(false)
    expect(brokers.why).toBeUndefined()
  })
})
