import { execFile } from "node:child_process"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import type { KafkaMissing } from "./KafkaMissing.ts"

const run = promisify(execFile)
const versionMin = 17
const answerMsMax = 20_000

export interface Java {
  readonly java: string
  /** Beside `java`; makes certificates. */
  readonly keytool: string
  /** As the JVM prints it: an archive of classes fits one version only. */
  readonly version: string
}

/** Looks in JAVA_HOME, then on the PATH, for a JVM that is new enough for Kafka 4. */
export async function findJava(environment: NodeJS.ProcessEnv): Promise<Java | KafkaMissing> {
  const home = environment["JAVA_HOME"]
  const candidates = [...(home === undefined || home === "" ? [] : [join(home, "bin", "java")]), "java"]
  let tooOld: string | undefined
  for (const java of candidates) {
    const version = await versionOf(java, environment)
    if (version === undefined) continue
    if (Number.parseInt(version, 10) >= versionMin) {
      return { java, keytool: java === "java" ? "keytool" : join(dirname(java), "keytool"), version }
    }
    tooOld = `Kafka 4 needs Java ${versionMin} or newer, and ${java} is ${version}: install a newer one or point JAVA_HOME to it`
  }
  return { reason: tooOld ?? `there is no Java: install Java ${versionMin} or newer, or point JAVA_HOME to it` }
}

async function versionOf(java: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    const { stderr } = await run(java, ["-version"], { env: environment, timeout: answerMsMax })
    return /version "([^"]+)"/.exec(stderr)?.[1]
  } catch {
    return undefined
  }
}
