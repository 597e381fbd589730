import { createRequire } from "node:module"
import { describe, expect, it } from "vitest"
import {
  apiKeys,
  Connection,
  createLogger,
  createSocketFactory,
  lookup,
  mechanisms,
  requests
} from "../src/client/kafkajsInternals.ts"
import { settingsOf } from "../src/client/Settings.ts"

const load = createRequire(import.meta.url)

describe("the parts of kafkajs that are used", () => {
  it("are those of the version they were read in", () => {
    const { version } = load("kafkajs/package.json") as { readonly version: string }
    const { dependencies } = load("../package.json") as { readonly dependencies: Readonly<Record<string, string>> }
    expect([version, dependencies["kafkajs"]]).toEqual(["2.2.4", "2.2.4"])
  })

  it("have the shape that they are given here", () => {
    const { logger, socketFactory } = settingsOf({ brokers: ["k:9092"] }, () => undefined)
    const connection = new Connection({
      host: "k",
      port: 9092,
      clientId: "leat",
      ssl: undefined,
      sasl: undefined,
      logger,
      socketFactory,
      connectionTimeout: 1,
      requestTimeout: 1,
      enforceRequestTimeout: false
    })
    const functions = [
      connection.connect,
      connection.send,
      connection.isConnected,
      connection.authenticate,
      connection.setVersions,
      connection.setSupportAuthenticationProtocol,
      connection.nextCorrelationId,
      connection.rejectRequests,
      connection.requestQueue.push,
      connection.requestQueue.destroy,
      connection.requestQueue.scheduleCheckPendingRequests,
      createLogger,
      createSocketFactory,
      lookup,
      ...Object.values(mechanisms)
    ]
    for (const one of functions) expect(one).toBeTypeOf("function")
    expect(connection.requestQueue.pending).toEqual([])
    expect(connection.sessionLifetime.value).toBe(0n)
    expect([apiKeys.Produce, apiKeys.Fetch, apiKeys.SaslAuthenticate]).toEqual([0, 1, 36])
  })

  it("speak versions that Kafka 4 still speaks", () => {
    /** Oldest version of each that Kafka 4.0 answers. */
    const oldest = {
      ApiVersions: 0,
      Metadata: 0,
      ListOffsets: 1,
      GroupCoordinator: 0,
      JoinGroup: 2,
      SyncGroup: 0,
      Heartbeat: 0,
      LeaveGroup: 0,
      OffsetCommit: 2,
      OffsetFetch: 1,
      CreateTopics: 2,
      DescribeConfigs: 1
    } as const
    for (const [name, version] of Object.entries(oldest)) {
      const newest = Math.max(...requests[name as keyof typeof oldest].versions.map(Number))
      expect({ name, isSpoken: newest >= version }).toEqual({ name, isSpoken: true })
    }
  })
})
