import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { makeCertificates } from "./Certificates.ts"
import type { KafkaListener } from "./KafkaProperties.ts"

export type SaslMechanism = "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" | "OAUTHBEARER"

/** How clients of the second listener prove who they are. */
export interface KafkaSecurity {
  readonly tls: boolean
  /** The server asks for a certificate of the client too. */
  readonly mtls?: boolean
  readonly sasl?: ReadonlyArray<SaslMechanism>
  /** Passwords by name, for PLAIN and SCRAM. OAUTHBEARER takes any unsigned token (`alg: none`) that has not expired. */
  readonly users?: Readonly<Record<string, string>>
}

/** What a client of the second listener needs. */
export interface SecureAccess {
  readonly bootstrap: string
  readonly caFile: string
  readonly clientCertFile: string
  readonly clientKeyFile: string
}

export const secureListener = "SECURE"
const clientName = "leat-client"

export function secureProtocol({ tls, sasl = [] }: KafkaSecurity): KafkaListener["protocol"] {
  if (sasl.length === 0) return tls ? "SSL" : "PLAINTEXT"
  return tls ? "SASL_SSL" : "SASL_PLAINTEXT"
}

/** Writes the certificates, as PEM files, and tells the properties of the listener that uses them. */
export async function secureProperties(
  folder: string,
  security: KafkaSecurity
): Promise<{ readonly properties: Readonly<Record<string, string>>; readonly files: Omit<SecureAccess, "bootstrap"> }> {
  refuseUnquotable(security.users ?? {})
  await mkdir(folder)
  const { authority, server, client } = makeCertificates(clientName)
  const write = async (name: string, pem: string) => {
    const path = join(folder, name)
    await writeFile(path, pem, { mode: 0o600 })
    return path
  }
  const files = {
    caFile: await write("ca.pem", authority),
    clientCertFile: await write("client-cert.pem", client.certificate),
    clientKeyFile: await write("client-key.pem", client.key)
  }
  const serverFile = await write("server.pem", server.key + server.certificate)
  const tls: Readonly<Record<string, string>> = {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": serverFile,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": files.caFile,
    "ssl.client.auth": security.mtls === true ? "required" : "none"
  }
  const own = { ...(security.tls ? tls : {}), ...saslProperties(security) }
  const prefix = `listener.name.${secureListener.toLowerCase()}.`
  return { files, properties: Object.fromEntries(Object.entries(own).map(([name, value]) => [prefix + name, value])) }
}

/** Names and passwords stand as they are in texts of three syntaxes. */
function refuseUnquotable(users: Readonly<Record<string, string>>): void {
  for (const word of Object.entries(users).flat()) {
    if (!/^[\w.-]+$/.test(word))
      throw new Error(`a test user's name and password are letters, digits, . _ -, not ${word}`)
  }
}

/** Users of SCRAM are records of the cluster, not configuration: arguments of the tool that formats it. */
export function scramUsers({ sasl = [], users = {} }: KafkaSecurity): ReadonlyArray<string> {
  return sasl
    .filter((mechanism) => mechanism.startsWith("SCRAM-"))
    .flatMap((mechanism) =>
      Object.entries(users).map(([name, password]) => `${mechanism}=[name=${name},password=${password}]`)
    )
}

function saslProperties({ sasl = [], users = {} }: KafkaSecurity): Readonly<Record<string, string>> {
  if (sasl.length === 0) return {}
  const properties: Record<string, string> = { "sasl.enabled.mechanisms": sasl.join(",") }
  for (const mechanism of sasl) {
    properties[`${mechanism.toLowerCase()}.sasl.jaas.config`] = loginModule(mechanism, users)
  }
  return properties
}

function loginModule(mechanism: SaslMechanism, users: Readonly<Record<string, string>>): string {
  const security = "org.apache.kafka.common.security"
  switch (mechanism) {
    case "PLAIN": {
      const passwords = Object.entries(users).map(([name, password]) => ` user_${name}="${password}"`)
      return `${security}.plain.PlainLoginModule required${passwords.join("")};`
    }
    case "SCRAM-SHA-256":
    case "SCRAM-SHA-512":
      return `${security}.scram.ScramLoginModule required;`
    case "OAUTHBEARER":
      // Nobody logs in by this one; the module wants a name all the same.
      return `${security}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="kafka";`
  }
}
