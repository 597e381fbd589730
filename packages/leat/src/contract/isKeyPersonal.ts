import type { ContractInfo } from "./Contract.ts"

/**
 * Whether the key of an event is personal, or may be: a field on its path is marked so. The path has names as `.proto` files spell them,
 * personal data those of properties, so both are compared without case and underscores.
 */
export function isKeyPersonal({ keyPath, personal }: Pick<ContractInfo, "keyPath" | "personal">): boolean {
  if (keyPath === undefined) return false
  const path = spelled(keyPath)
  return personal.some((one) => path === spelled(one) || path.startsWith(`${spelled(one)}.`))
}

function spelled(path: string): string {
  return path.replaceAll(/[_$]/g, "").toLowerCase()
}
