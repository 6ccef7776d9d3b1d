/** How a model writes function calls. */
export interface ToolSyntax {
  /** Precedes each call or list of calls; null: the whole answer is the call. */
  readonly opening: string | null
  /** Follows it; null: nothing does. */
  readonly closing: string | null
}

/**
 * Hermes and Qwen, MiniMind too: `<tool_call>{"name": …, "arguments": …}</tool_call>`
 * (https://github.com/NousResearch/Hermes-Function-Calling).
 */
const HERMES: ToolSyntax = { opening: '<tool_call>', closing: '</tool_call>' }

/** Mistral: `[TOOL_CALLS][{"name": …, "arguments": …}]`. */
const MISTRAL: ToolSyntax = { opening: '[TOOL_CALLS]', closing: null }

/** Llama 3.1 and later: the answer is `{"name": …, "parameters": …}`. */
const LLAMA: ToolSyntax = { opening: null, closing: null }

/**
 * The syntax that a chat template teaches its model; null if it has no tools, or only in an unknown syntax.
 *
 * @param template Jinja source
 */
export function toolSyntaxOf(template: string): ToolSyntax | null {
  if (!/\btools\b/.test(template)) return null
  if (template.includes('<tool_call>')) return HERMES
  if (template.includes('[TOOL_CALLS]')) return MISTRAL
  const isLlama = /\\?"parameters\\?"/.test(template) && /ipython|python_tag/.test(template)
  return isLlama ? LLAMA : null
}
