import { execFile } from "node:child_process"
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { withFileLock } from "./FileLock.ts"
import type { KafkaMissing } from "./KafkaMissing.ts"

const run = promisify(execFile)

export const kafkaVersion = "4.3.1"
/** What other programs of the tests need on the same class path is fetched along: protobuf for Java. */
const artifacts: ReadonlyArray<readonly [group: string, artifact: string, version: string]> = [
  ["org.apache.kafka", "kafka_2.13", kafkaVersion],
  ["org.apache.kafka", "kafka-tools", kafkaVersion],
  ["org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.1"],
  ["org.apache.logging.log4j", "log4j-core", "2.25.1"],
  ["com.google.protobuf", "protobuf-java", "4.31.1"]
]
const fetchMsMax = 300_000

export interface KafkaJars {
  /** The cached Kafka: `jars/`, and what is derived from them. */
  readonly folder: string
  /** Sorted, because an archive of classes fits one order only. */
  readonly classPath: string
}

/** Takes Kafka from the cache outside the repository, or fetches it there with Maven, once per machine. */
export async function findKafkaJars(
  environment: NodeJS.ProcessEnv,
  say: (sentence: string) => void
): Promise<KafkaJars | KafkaMissing> {
  const cache = cacheFolder(environment)
  const folder = join(cache, `kafka-${kafkaVersion}`)
  const cached = await jarsIn(folder)
  if (cached !== undefined) return cached
  await mkdir(cache, { recursive: true })
  return withFileLock(`${folder}.lock`, fetchMsMax * 2, async () => {
    const meanwhile = await jarsIn(folder)
    if (meanwhile !== undefined) return meanwhile
    say(`fetching Kafka ${kafkaVersion} with Maven, once per machine`)
    const missing = await fetchInto(folder, environment)
    return (
      missing ?? (await jarsIn(folder)) ?? { reason: `${folder} is empty after Maven said that it had fetched Kafka` }
    )
  })
}

/** Where things live that are expensive to get and the same for every clone. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const configured = environment["XDG_CACHE_HOME"]
  return join(configured === undefined || configured === "" ? join(homedir(), ".cache") : configured, "leat")
}

async function jarsIn(folder: string): Promise<KafkaJars | undefined> {
  const jars = join(folder, "jars")
  const names = await readdir(jars).catch(() => [])
  if (names.length === 0) return undefined
  return {
    folder,
    classPath: names
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((name) => join(jars, name))
      .join(":")
  }
}

/** The folder appears whole or not at all. */
async function fetchInto(folder: string, environment: NodeJS.ProcessEnv): Promise<KafkaMissing | undefined> {
  const building = await mkdtemp(`${folder}.fetching-`)
  try {
    await writeFile(join(building, "pom.xml"), pom)
    const copy = ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
    await run("mvn", copy, { cwd: building, env: environment, timeout: fetchMsMax })
    await rename(building, folder)
    return undefined
  } catch (error) {
    return { reason: whyNotFetched(error) }
  } finally {
    await rm(building, { recursive: true, force: true })
  }
}

function whyNotFetched(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") {
    return "Kafka is not in the cache, and there is no mvn to fetch it: install Maven, or set KAFKA_BROKERS to a running Kafka"
  }
  const said = error instanceof Error && "stdout" in error ? String(error.stdout) : String(error)
  const line = /\[ERROR\] (.*)$/m.exec(said)?.[1]?.slice(0, 300) ?? "nothing"
  return `Maven could not fetch Kafka ${kafkaVersion}, without which KAFKA_BROKERS may name a running one; it said: ${line}`
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>leat</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
${artifacts
  .map(
    ([group, artifact, version]) =>
      `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  )
  .join("\n")}
  </dependencies>
</project>
`
