import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { connect } from "node:tls"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Kafka } from "@leat/brokers"
import { requestFrame, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { makeCertificates } from "../src/Certificates.ts"

describe("test certificates", () => {
  const { authority, server, client } = makeCertificates("somebody")

  it("are signed by the authority and made for this machine", () => {
    const ca = new X509Certificate(authority)
    const own = new X509Certificate(server.certificate)
    expect(ca.ca).toBe(true)
    expect(own.checkIssued(ca) && own.verify(ca.publicKey)).toBe(true)
    expect(own.checkHost("localhost")).toBe("localhost")
    expect(own.checkIP("127.0.0.1")).toBe("127.0.0.1")
    expect(new X509Certificate(client.certificate).subject).toBe("CN=somebody")
  })
})

const saslHandshake = { apiKey: 17, version: 1 }
const saslAuthenticate = { apiKey: 36, version: 0 }
const noError = 0
const saslAuthenticationFailed = 58

await describeOwnKafka("the secure listener of Kafka", () => {
  let kafka: Kafka
  beforeAll(async () => {
    const sasl = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] as const
    kafka = await startKafka({ security: { tls: true, mtls: true, sasl, users: { alice: "secret" } } })
  })
  afterAll(() => kafka.close())

  /** The error codes of a login with PLAIN, over a connection with or without a certificate of the client. */
  const login = async (password: string, withCertificate = true): Promise<ReadonlyArray<number>> => {
    const { bootstrap = "", caFile = "", clientCertFile = "", clientKeyFile = "" } = kafka.secure ?? {}
    const own = { cert: readFileSync(clientCertFile), key: readFileSync(clientKeyFile) }
    const port = Number(bootstrap.split(":")[1])
    const socket = connect({ port, host: "localhost", ca: readFileSync(caFile), ...(withCertificate ? own : {}) })
    const text = (value: string, sizeBytes: 2 | 4) => {
      const size = Buffer.alloc(sizeBytes)
      size.writeIntBE(value.length, 0, sizeBytes)
      return Buffer.concat([size, Buffer.from(value)])
    }
    const codes: Array<number> = []
    const requests = [
      requestFrame(saslHandshake.apiKey, saslHandshake.version, 1, text("PLAIN", 2)),
      requestFrame(saslAuthenticate.apiKey, saslAuthenticate.version, 2, text(`\0alice\0${password}`, 4))
    ].values()
    const send = () => {
      const request = requests.next().value
      if (request === undefined) socket.destroy()
      else socket.write(request)
    }
    socket.on("data", (frame) => {
      codes.push(frame.readInt16BE(8))
      send()
    })
    send()
    return new Promise((resolve, reject) => {
      socket.on("error", reject)
      socket.on("close", () => resolve(codes))
    })
  }

  it("lets a user with a certificate and the password in", async () => {
    expect(await login("secret")).toEqual([noError, noError])
  })

  it("refuses a wrong password", async () => {
    expect(await login("guess")).toEqual([noError, saslAuthenticationFailed])
  })

  it("refuses a client without certificate", async () => {
    await expect(login("secret", false)).rejects.toThrow(/certificate|ECONNRESET/i)
  })
})
