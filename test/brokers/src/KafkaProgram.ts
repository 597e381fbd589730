import { join } from "node:path"
import type { Java } from "./Java.ts"
import { findJava } from "./Java.ts"
import { findKafkaJars } from "./KafkaJars.ts"
import type { KafkaMissing } from "./KafkaMissing.ts"
import { isMissing } from "./KafkaMissing.ts"

/** A Kafka that this machine can run: the JVM and what to give it. */
export interface KafkaProgram {
  readonly java: Java
  readonly classPath: string
  /** Kafka's classes as the JVM maps them into memory, made once: without it a start takes about twice as long. */
  readonly classArchive: string
  /** What Kafka's own tool writes into a fresh data folder, kept: running that tool takes a second. */
  readonly bootstrapCheckpoint: string
}

/** Looks for Java and for a cached Kafka, else fetches one. `say` hears of what takes long. */
export async function findKafka(
  environment: NodeJS.ProcessEnv = process.env,
  say: (sentence: string) => void = () => undefined
): Promise<KafkaProgram | KafkaMissing> {
  if (process.platform === "win32") return { reason: "the Kafka harness signals processes, which Windows cannot do" }
  const java = await findJava(environment)
  if (isMissing(java)) return java
  const jars = await findKafkaJars(environment, say)
  if (isMissing(jars)) return jars
  return {
    java,
    classPath: jars.classPath,
    classArchive: join(jars.folder, `classes-${java.version.replaceAll(/[^\w.+-]/g, "_")}.jsa`),
    bootstrapCheckpoint: join(jars.folder, "bootstrap.checkpoint")
  }
}

/** Quick to start and small: the first tier of the compiler is enough for a broker that a test talks to. */
const smallJvm: ReadonlyArray<string> = [
  "-Xms64m",
  "-Xmx320m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-Xshare:auto",
  // The JVM warns of every class that an archive cannot hold.
  "-Xlog:disable",
  "-Xlog:all=error:stderr"
]

export const jvmFlags = ({ classArchive }: KafkaProgram): ReadonlyArray<string> => [
  ...smallJvm,
  `-XX:SharedArchiveFile=${classArchive}`
]

/** For the run that makes the archive; the JVM writes it when it ends. */
export const archivingJvmFlags = (archive: string): ReadonlyArray<string> => [
  ...smallJvm,
  `-XX:ArchiveClassesAtExit=${archive}`
]
