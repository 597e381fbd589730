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
  /** Keeps what is made once per machine: jars, the archive of classes. */
  readonly folder: string
  /** Classes as the JVM maps them into memory, made once; without it a start takes about twice as long. */
  readonly classArchive: string
}

/** Looks for Java and for a cached Kafka, else fetches one. */
export async function findKafka(environment: NodeJS.ProcessEnv = process.env): Promise<KafkaProgram | KafkaMissing> {
  if (process.platform === "win32") return { reason: "the Kafka harness signals processes, which Windows cannot do" }
  const java = await findJava(environment)
  if (isMissing(java)) return java
  const jars = await findKafkaJars(environment)
  if (isMissing(jars)) return jars
  const classArchive = join(jars.folder, `classes-${java.version.replaceAll(/[^\w.+-]/g, "_")}.jsa`)
  return { java, classPath: jars.classPath, folder: jars.folder, classArchive }
}

/** Quick to start and small: the first tier of the compiler is enough for a broker that a test talks to. */
export const jvmFlags: ReadonlyArray<string> = [
  "-Xms64m",
  "-Xmx320m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-Xshare:auto",
  "-Xlog:disable",
  "-Xlog:all=error:stderr"
]
