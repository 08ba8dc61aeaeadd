/** Packages without types of their own, as far as the tests use them. */

declare module 'aedes-persistence-redis' {
  export default function persistence(redis: { readonly host: string; readonly port: number }): object;
}
