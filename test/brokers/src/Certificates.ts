import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { bits, element, integer, objectId, octets, sequence, set, text, time, yes } from "./Der.ts"

const dayMs = 86_400_000
const daysValid = 30

/** A certificate and its private key, as PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
}

export interface TestCertificates {
  /** The one that server and clients trust. */
  readonly authority: string
  readonly server: Identity
  readonly client: Identity
}

/**
 * Makes an authority and two certificates that it signed. Written by hand because keytool needs eight JVMs for it and does not
 * give private keys away, and because openssl is not on every machine.
 */
export function makeCertificates(clientName: string): TestCertificates {
  const authority = { name: "leat test authority", ...keyPair() }
  const issue = (name: string, ...extensions: ReadonlyArray<Buffer>): Identity => {
    const own = keyPair()
    const certificate = signed(authority, { name, publicKey: own.publicKey }, extensions)
    return { certificate, key: String(own.privateKey.export({ type: "pkcs8", format: "pem" })) }
  }
  return {
    authority: signed(authority, authority, [
      extension("2.5.29.19", sequence(yes), true), // basicConstraints: an authority
      extension("2.5.29.14", octets(keyId(authority.publicKey))) // subjectKeyIdentifier
    ]),
    server: issue(
      "localhost",
      // subjectAltName: a name, and an address of four bytes
      extension("2.5.29.17", sequence(element(0x82, Buffer.from("localhost")), element(0x87, Buffer.of(127, 0, 0, 1)))),
      extendedKeyUsage("1.3.6.1.5.5.7.3.1")
    ),
    client: issue(clientName, extendedKeyUsage("1.3.6.1.5.5.7.3.2"))
  }
}

const keyPair = () => generateKeyPairSync("ec", { namedCurve: "P-256" })

const derOf = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" })

const keyId = (key: KeyObject): Buffer => createHash("sha1").update(derOf(key)).digest()

const extendedKeyUsage = (use: string): Buffer => extension("2.5.29.37", sequence(objectId(use)))

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(objectId(id), ...(critical ? [yes] : []), octets(value))
}

const nameOf = (name: string): Buffer => sequence(set(sequence(objectId("2.5.4.3"), text(name)))) // commonName

function signed(
  issuer: { readonly name: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  subject: { readonly name: string; readonly publicKey: KeyObject },
  extensions: ReadonlyArray<Buffer>
): string {
  const ecdsaWithSha256 = sequence(objectId("1.2.840.10045.4.3.2"))
  const authorityKeyId = extension("2.5.29.35", sequence(element(0x80, keyId(issuer.publicKey))))
  const body = sequence(
    element(0xa0, integer(Buffer.of(2))), // version 3
    integer(Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(issuer.name),
    sequence(time(new Date(Date.now() - dayMs)), time(new Date(Date.now() + daysValid * dayMs))),
    nameOf(subject.name),
    derOf(subject.publicKey),
    element(0xa3, sequence(...extensions, authorityKeyId))
  )
  const certificate = sequence(body, ecdsaWithSha256, bits(sign("sha256", body, issuer.privateKey)))
  const lines = certificate.toString("base64").replaceAll(/.{64}/g, "$&\n").trimEnd()
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
