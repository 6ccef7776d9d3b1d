/** The prompt of a request. Its answer says which request it belongs to, token by token. */
export function promptOf(request: string, tokens: number): string {
  return `${request} ${tokens}`
}

/** The request and the length of its answer. */
export function readPrompt(prompt: string): { readonly request: string; readonly tokens: number } {
  const [request = '', tokens = '0'] = prompt.split(' ')
  return { request, tokens: Number(tokens) }
}

/** The token at a position of an answer, counted from 0. */
export function tokenText(request: string, index: number): string {
  return `${request}:${index} `
}
