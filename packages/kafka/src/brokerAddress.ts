/** Addresses of brokers: `HOST:PORT`, an IPv6 address in brackets. */

const address = /^(?:\[[\da-f:.]+(?:%[\w.-]+)?\]|[\w-]+(?:\.[\w-]+)*\.?):(\d{1,5})$/i

export function isBroker(text: string): boolean {
  const port = Number(address.exec(text)?.[1] ?? "0")
  return port >= 1 && port <= 65_535
}

/** Of one text with commas between the addresses, as `KAFKA_BROKERS` has it. */
export const brokersOf = (text: string): ReadonlyArray<string> => text.split(",").map((one) => one.trim())

export const areBrokers = (text: string): boolean => brokersOf(text).every(isBroker)
