/** leat's options in the terms of kafkajs. Secrets are unwrapped here and nowhere else. */
import { bearerToken, kafkaDefaults, type KafkaOptions, type KafkaSasl, type KafkaTls } from "@leat/kafka"
import { Effect, Redacted } from "effect"
import { transportName } from "./failureOf.ts"
import {
  type AuthenticationProvider,
  createLogger,
  createSocketFactory,
  type KafkajsLogger,
  type KafkajsSasl,
  mechanisms
} from "./kafkajsInternals.ts"

/** Address of a broker. */
export interface Address {
  readonly host: string
  readonly port: number
}

export interface Settings {
  readonly seeds: ReadonlyArray<Address>
  readonly clientId: string
  readonly connectMs: number
  readonly requestMs: number
  readonly ssl: object | undefined
  readonly sasl: KafkajsSasl | undefined
  readonly logger: KafkajsLogger
  readonly socketFactory: unknown
}

/** DEBUG: kafkajs logs everything at this level. No behaviour of it depends on the level. */
const debugLevel = 5

/** `log` gets the messages of kafkajs. It never gets their further fields, which may hold secrets. */
export function settingsOf(options: KafkaOptions, log: (sentence: string) => void): Settings {
  return {
    seeds: options.brokers.map(addressOf),
    clientId: options.clientId ?? kafkaDefaults.clientId,
    connectMs: options.connectMs ?? kafkaDefaults.connectMs,
    requestMs: options.requestMs ?? kafkaDefaults.requestMs,
    ssl: options.tls === undefined ? undefined : sslOf(options.tls),
    sasl: options.sasl === undefined ? undefined : saslOf(options.sasl),
    logger: createLogger({
      level: debugLevel,
      logCreator:
        () =>
        ({ namespace, log: { message } }) =>
          // Left out: there are two of these messages for each request.
          /^(Request|Response) /.test(message) ? undefined : log(`kafkajs ${namespace}: ${message}`)
    }),
    socketFactory: createSocketFactory()
  }
}

/** `HOST:PORT`; an IPv6 address has brackets. kafkajs would split it at its first colon. */
function addressOf(text: string): Address {
  const colon = text.lastIndexOf(":")
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(text.slice(colon + 1)) }
}

function sslOf({ ca, cert, key, passphrase, serverName, verify }: KafkaTls): object {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: Redacted.value(key) }),
    ...(passphrase === undefined ? {} : { passphrase: Redacted.value(passphrase) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    rejectUnauthorized: verify ?? true
  }
}

function saslOf(sasl: KafkaSasl): KafkajsSasl {
  const { mechanism } = sasl
  const told =
    mechanism === "OAUTHBEARER"
      ? {
          mechanism,
          oauthBearerProvider: async () => {
            const { value } = await Effect.runPromise(bearerToken(transportName, sasl))
            return { value: Redacted.value(value) }
          }
        }
      : { mechanism, username: sasl.username, password: Redacted.value(sasl.password) }
  return { ...told, authenticationProvider: honest(mechanism, told) }
}

/**
 * A mechanism of kafkajs that throws the original error. kafkajs reports every failure during authentication as an authentication error, a broken
 * connection too.
 */
function honest(mechanism: string, sasl: object): AuthenticationProvider {
  const provider = mechanisms[mechanism]?.(sasl)
  return (exchange) => {
    let happened: unknown
    const noting = async (step: unknown): Promise<unknown> => {
      try {
        return await exchange.saslAuthenticate(step)
      } catch (error) {
        happened = error
        throw error
      }
    }
    return {
      authenticate: async () => {
        try {
          await provider?.({ ...exchange, saslAuthenticate: noting }).authenticate()
        } catch (error) {
          throw happened ?? error
        }
      }
    }
  }
}
