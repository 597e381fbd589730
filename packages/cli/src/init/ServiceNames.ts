/** The names that a new service's are made of. */
export interface ServiceNames {
  /** `shop-orders`: of the package, and the source of its events. */
  readonly name: string
  /** `shop_orders`: in protobuf. */
  readonly word: string
}

/** Path of the one contract in the folder of `.proto` files, without its ending. */
export function contractPath({ word }: ServiceNames): string {
  return `${word}/v1/item`
}
