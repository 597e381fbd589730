/**
 * The schema of a section in its two phases. They differ in what a text may be: as it is written, a secret has to be a reference
 * and other text may contain some; when it is opened, nothing is a reference any more.
 */
import { Schema } from "effect"
import { areBrokers, isBroker } from "./brokerAddress.ts"

/** What the two phases say differently. */
export interface SectionPhase {
  /** Whether a text is acceptable, given what it has to be like when it is no reference. */
  readonly text: (isGood: (text: string) => boolean) => (text: string) => boolean
  readonly secret: Schema.Codec<string>
}

const integer = (minimum: number, maximum: number, example: number) =>
  Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum, maximum })).annotate({ examples: [example] }))

/** By its scheme: a secret must not travel where others read it. */
function isTokenEndpoint(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== "" || url.password !== "") return false
  return (
    url.protocol === "https:" ||
    (url.protocol === "http:" && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname))
  )
}

interface SaslFields {
  readonly mechanism: string
  readonly username?: string
  readonly password?: string
  readonly token?: string
  readonly tokenEndpoint?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly scope?: string
}

/** True: each field belongs to the mechanism, and none is missing. */
function saslFault({ mechanism, username, password, token, ...asking }: SaslFields): string | true {
  const { tokenEndpoint, clientId, clientSecret, scope } = asking
  const areAll = (...fields: ReadonlyArray<string | undefined>) => fields.every((one) => one !== undefined)
  const areNone = (...fields: ReadonlyArray<string | undefined>) => fields.every((one) => one === undefined)
  if (mechanism !== "OAUTHBEARER") {
    const isRight = areAll(username, password) && areNone(token, tokenEndpoint, clientId, clientSecret, scope)
    return isRight || `${mechanism} takes a username and a password; give both and nothing else`
  }
  if (!areNone(username, password)) return "OAUTHBEARER takes no username and no password; remove them"
  if (token === undefined) {
    const isRight = areAll(tokenEndpoint, clientId, clientSecret)
    return isRight || "give a token, or tokenEndpoint, clientId and clientSecret to ask for one"
  }
  return areNone(tokenEndpoint, clientId, clientSecret, scope) || "give a token or the fields to ask for one, not both"
}

const brokerAdvice = "write HOST:PORT, and an IPv6 address in brackets: [::1]:9092"

export const sectionSchema = ({ text, secret: secretText }: SectionPhase) => {
  const secret = secretText.annotate({ examples: ["${env:KAFKA_SECRET}"] })
  const textThat = (isGood: (text: string) => boolean, otherwise: string, example: string) => {
    const isAcceptable = text(isGood)
    const check = Schema.makeFilter((value: string) => isAcceptable(value) || otherwise)
    return Schema.String.check(check).annotate({ examples: [example] })
  }
  const word = (example: string) => Schema.optionalKey(textThat((value) => value.trim() !== "", "is empty", example))
  const certificates = textThat(
    (value) => value.includes("-----BEGIN CERTIFICATE-----"),
    "is no certificate in PEM text; where it stands in a file, write ${file:PATH}",
    "${file:/etc/kafka/ca.pem}"
  )

  const tls = Schema.Struct({
    ca: Schema.optionalKey(certificates),
    cert: Schema.optionalKey(certificates),
    key: Schema.optionalKey(secret),
    passphrase: Schema.optionalKey(secret),
    serverName: word("kafka.example.com"),
    verify: Schema.optionalKey(Schema.Boolean)
  }).check(
    Schema.makeFilter(({ cert, key, passphrase }: { cert?: string; key?: string; passphrase?: string }) => {
      if ((cert === undefined) !== (key === undefined)) return "cert and key belong together; give both or neither"
      return passphrase === undefined || key !== undefined || "a passphrase without a key opens nothing; remove it"
    })
  )

  // One struct, and not a union of two: of a union every member would report what it misses.
  const sasl = Schema.Struct({
    mechanism: Schema.Literals(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]),
    username: word("checkout"),
    password: Schema.optionalKey(secret),
    token: Schema.optionalKey(secret),
    tokenEndpoint: Schema.optionalKey(
      textThat(
        isTokenEndpoint,
        "is no https URL without a user in it; http only on this machine",
        "https://auth.example.com/token"
      )
    ),
    clientId: word("checkout"),
    clientSecret: Schema.optionalKey(secret),
    scope: word("kafka")
  })
    .check(Schema.makeFilter(saslFault))
    .annotate({ examples: [{ mechanism: "PLAIN", username: "checkout", password: "${env:KAFKA_PASSWORD}" }] })

  return Schema.Struct({
    brokers: Schema.Union([
      textThat(areBrokers, `is no list of brokers with commas between them; ${brokerAdvice}`, "k1:9092,k2:9092"),
      Schema.NonEmptyArray(textThat(isBroker, `is no address of a broker; ${brokerAdvice}`, "k1:9092"))
    ]).annotate({ examples: ["k1:9092,k2:9092"] }),
    clientId: word("checkout"),
    tls: Schema.optionalKey(Schema.Union([Schema.Boolean, tls]).annotate({ examples: [true] })),
    sasl: Schema.optionalKey(sasl),
    // Up to the largest that both clients can be told.
    recordBytesMax: integer(256, 512 * 1024 ** 2, 1_048_576),
    topic: Schema.optionalKey(
      Schema.Struct({
        partitions: integer(1, 10_000, 12),
        replicationFactor: integer(1, 100, 3)
      }).annotate({ examples: [{ partitions: 12 }] })
    ),
    // What brokers accept unless they are told otherwise.
    sessionMs: integer(6000, 1_800_000, 45_000),
    connectMs: integer(100, 300_000, 10_000),
    requestMs: integer(1000, 300_000, 30_000)
  })
}
