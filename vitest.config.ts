import { fileURLToPath } from "node:url"
import type { Plugin } from "vite"
import { defineConfig } from "vitest/config"
import LongestFirst from "./tools/longest-first.ts"

// Workers of vitest, and the processes and threads that tests start, read TypeScript and Effect compiled: half of what a start
// costs. In the environment, because Node looks for it before a test could set it. Coverage is less exact with it.
if (!process.argv.some((argument) => argument.startsWith("--coverage")))
  process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/leat/compiled", import.meta.url))

const conditions = ["@leat/source"]

/** A bug of packages/leat/test/mutants that a run of its own plants, to see whether the tests find it. */
const planting: { readonly plantingPlugin: () => Array<Plugin> } | undefined =
  process.env["LEAT_MUTANT"] === undefined
    ? undefined
    : await import(new URL("packages/leat/test/mutants/plant.ts", import.meta.url).href)

interface ProjectOptions {
  readonly globalSetup?: Array<string>
  readonly testTimeout?: number
  readonly hookTimeout?: number
  readonly maxConcurrency?: number
  readonly maxWorkers?: number
  readonly isolate?: boolean
  readonly sequence?: { readonly groupOrder: number }
}
const project = (name: string, include: Array<string>, more: ProjectOptions = {}) => ({
  extends: true as const,
  plugins: planting?.plantingPlugin() ?? [],
  test: { name, include, fsModuleCache: true, ...more }
})
// Files that share a worker load leat and Effect once, not for half a second each, and run what V8 has compiled already: two fifths of
// their processor time. They put back what they change of the process; what a file leaves open goes on beside the next one.
const together = { isolate: false }
const kafkaSetup = "./test/brokers/src/vitestSetup.ts"
// Tests that wait for a broker, another process or the disk, much of the time: three workers keep two cores busy, and of tests that run
// side by side there are more than vitest takes by itself. All others come afterwards, because projects of one group have as many workers.
const waiting = { maxWorkers: 3, maxConcurrency: 10, sequence: { groupOrder: 0 } }
// A time-out ends a test that hangs, and judges nothing: on two busy cores what takes four seconds has taken thirty.
const patient = { testTimeout: 90_000, hookTimeout: 90_000 }
const withKafka = { ...waiting, ...patient, globalSetup: [kafkaSetup] }
const withForeignPrograms = {
  ...waiting,
  globalSetup: [kafkaSetup, "./test/interoperability/src/vitestSetup.ts"],
  // The first test of a file starts programs of other languages.
  testTimeout: 60_000,
  hookTimeout: 60_000
}

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    reporters: ["default", "./packages/leat/test/mutants/MutantTitlesReporter.ts", "./tools/counting-reporter.ts"],
    setupFiles: ["./test/properties.ts", "./test/emptyObjects.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // It judges nothing either: the second that it is by itself has passed on a busy machine before what is polled for had its turn.
    expect: { poll: { timeout: 25_000 } },
    // Two cores: more workers only take turns where tests compute, and tests that measure time would see it.
    maxWorkers: 2,
    sequence: { groupOrder: 1, sequencer: LongestFirst },
    projects: [
      project("leat", ["packages/leat/test/**/*.test.ts"], together),
      project("log", ["packages/log/test/**/*.test.ts"], { ...waiting, ...patient, ...together }),
      project("kafka", ["packages/kafka/test/**/*.test.ts"], together),
      project("kafkajs", ["packages/kafkajs/test/**/*.test.ts"], { ...withKafka, ...together }),
      project("protoc-gen-leat", ["packages/protoc-gen-leat/test/**/*.test.ts"], together),
      project("cli", ["packages/cli/test/**/*.test.ts"], { ...waiting, ...patient, ...together }),
      project("demo", ["packages/demo/test/**/*.test.ts"], waiting),
      project("confluent", ["packages/confluent/test/**/*.test.ts"], withKafka),
      project("brokers", ["test/brokers/test/**/*.test.ts"], withKafka),
      project("kafka-together", ["test/kafka/**/*.test.ts"], { ...withKafka, ...together }),
      project("interoperability", ["test/interoperability/test/**/*.test.ts"], withForeignPrograms),
      project("guide", ["test/guide.test.ts"], withKafka),
      project("repository", [
        "test/{architecture,confluentBuild,documentation,links,traps}.test.ts",
        "test/{hostile,memory,isolation,move}/*.test.ts"
      ])
    ]
  }
})
