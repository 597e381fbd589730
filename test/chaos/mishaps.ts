/** What happens to three brokers and to the network before them. Each leaves everything well again, or says that it could not. */
import { ApiKey, type Kafka, type KafkaNode } from "@leat/brokers"
import { setTimeout as sleep } from "node:timers/promises"

/** What a mishap is done to. */
export interface Scene {
  readonly kafka: Kafka
  readonly random: () => number
  /** The node that leads most of the partitions under load. */
  readonly leader: () => Promise<KafkaNode>
  /** Waits until every partition under load has all its replicas in sync. */
  readonly inSync: () => Promise<void>
}

export interface Mishap {
  readonly name: string
  /** Does it; says what it did. */
  readonly happen: (scene: Scene) => Promise<string>
}

const between = (random: () => number, from: number, to: number) => Math.round(from + random() * (to - from))

const proxyOf = ({ id, proxy }: KafkaNode) => {
  if (proxy === undefined) throw new Error(`node ${id} stands behind no proxy`)
  return proxy
}

const killLeader: Mishap = {
  name: "SIGKILL of a leader",
  happen: async ({ random, leader, inSync }) => {
    const node = await leader()
    const ms = between(random, 500, 4000)
    await node.kill()
    await sleep(ms)
    await node.restart()
    await inSync()
    return `node ${node.id} was away for ${ms} ms`
  }
}

const stopLeader: Mishap = {
  name: "SIGSTOP of a leader",
  happen: async ({ random, leader, inSync }) => {
    const node = await leader()
    const ms = between(random, 1000, 20_000)
    node.stop()
    await sleep(ms)
    node.continue()
    await inSync()
    return `node ${node.id} stood still for ${ms} ms`
  }
}

const rollingBounce: Mishap = {
  name: "rolling bounce",
  happen: async ({ kafka, inSync }) => {
    for (const node of kafka.nodes) {
      await node.restart()
      await inSync()
    }
    return `${kafka.nodes.length} nodes, one after the other`
  }
}

const fiveBounces: Mishap = {
  name: "five bounces of one node",
  happen: async ({ leader, inSync }) => {
    const node = await leader()
    for (let bounce = 0; bounce < 5; bounce++) {
      if (bounce % 2 === 0) await node.kill()
      await node.restart()
    }
    await inSync()
    return `node ${node.id}`
  }
}

const cutNetwork: Mishap = {
  name: "network cut",
  happen: async ({ kafka, random }) => {
    const ms = between(random, 300, 4000)
    const proxies = kafka.nodes.filter(() => random() < 0.7).map(proxyOf)
    for (const proxy of proxies) await proxy.cut()
    await sleep(ms)
    for (const proxy of proxies) await proxy.heal()
    return `${proxies.length} nodes could not be reached for ${ms} ms`
  }
}

const slowNetwork: Mishap = {
  name: "network delay",
  happen: async ({ kafka, random }) => {
    const delays = { requests: between(random, 1, 200), responses: between(random, 1, 200) }
    const proxies = kafka.nodes.map(proxyOf)
    for (const proxy of proxies) proxy.delay(delays)
    await sleep(4000)
    for (const proxy of proxies) proxy.pass()
    return `${delays.requests} ms there and ${delays.responses} ms back`
  }
}

const silentNetwork: Mishap = {
  name: "answers held back",
  happen: async ({ leader, random }) => {
    const node = await leader()
    const ms = between(random, 500, 8000)
    proxyOf(node).freeze("responses")
    await sleep(ms)
    proxyOf(node).pass()
    return `node ${node.id} gave no answer for ${ms} ms`
  }
}

const lostAnswers: Mishap = {
  name: "answers to produce requests lost",
  happen: async ({ kafka, random }) => {
    const faults = kafka.nodes.flatMap((node) =>
      ["hold", "reset", "reset"].map((then) =>
        proxyOf(node).dropResponse({
          apiKey: ApiKey.produce,
          nth: between(random, 1, 20),
          then: then === "hold" ? "hold" : "reset"
        })
      )
    )
    let lost = 0
    for (const { happened } of faults) void happened.then(() => lost++)
    await sleep(5000)
    for (const { cancel } of faults) cancel()
    return `${lost} were lost`
  }
}

/** All, in no order. */
export const mishaps: ReadonlyArray<Mishap> = [
  killLeader,
  lostAnswers,
  stopLeader,
  cutNetwork,
  rollingBounce,
  silentNetwork,
  fiveBounces,
  slowNetwork
]
