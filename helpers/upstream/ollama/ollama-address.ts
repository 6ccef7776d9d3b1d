/** Ollama's default address. */
const DEFAULT_ADDRESS = '127.0.0.1:11434'

/** Addresses that a server listens on and that nobody can connect to, as they stand in a URL. */
const ANY_ADDRESS = /^((?:https?:\/\/)?)(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/i

/**
 * The address of the Ollama server of this machine: that of the variable `OLLAMA_HOST`, which Ollama's own
 * server and client read, or the usual one. Where the variable tells the server to listen on all addresses,
 * it is reached on 127.0.0.1.
 *
 * @see https://github.com/ollama/ollama/blob/main/docs/faq.md
 */
export function ollamaAddress(variable: string | undefined): string {
  const text = variable?.trim() ?? ''
  if (text === '') return DEFAULT_ADDRESS
  // `:11434` is short for every address.
  return (text.startsWith(':') ? `127.0.0.1${text}` : text).replace(ANY_ADDRESS, '$1127.0.0.1')
}
