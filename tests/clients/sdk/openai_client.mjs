// The OpenAI SDK for JavaScript: Chat Completions and Responses, buffered, streamed, a tool loop.
// Takes `chat` or `responses`, prints one JSON object.
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0, timeout: 20_000 });
const model = "gpt-4o";
const parameters = {
  type: "object",
  properties: { path: { type: "string" } },
  required: ["path"],
  additionalProperties: false,
};
const read = ({ path }) => readFileSync(path, "utf8");

async function chat() {
  const messages = [{ role: "user", content: "PONGTEST say pong" }];
  const whole = await client.chat.completions.create({ model, messages });
  const stream = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
  const usage = await stream.totalUsage();
  const runner = client.chat.completions.runTools({
    model,
    stream: true,
    messages: [{ role: "user", content: "TOOLTEST read canary.txt" }],
    tools: [
      {
        type: "function",
        function: { name: "read_canary", description: "Read a file", parameters, parse: JSON.parse, function: read },
      },
    ],
  });
  const tool = await runner.finalContent();
  return {
    text: whole.choices[0].message.content,
    stream: await stream.finalContent(),
    tool,
    turns: runner.allChatCompletions().length,
    usage: [usage.prompt_tokens, usage.completion_tokens],
  };
}

async function responses() {
  const whole = await client.responses.create({ model, input: "PONGTEST say pong" });
  const streamed = await client.responses.stream({ model, input: "PONGTEST say pong" }).finalResponse();
  const input = [{ role: "user", content: "TOOLTEST read canary.txt" }];
  const tools = [{ type: "function", name: "read_canary", parameters, strict: true }];
  for (let turns = 1; ; turns++) {
    const answer = await client.responses.stream({ model, input, tools }).finalResponse();
    const calls = answer.output.filter((item) => item.type === "function_call");
    if (calls.length === 0) {
      const usage = [whole.usage.input_tokens, whole.usage.output_tokens];
      return { text: whole.output_text, stream: streamed.output_text, tool: answer.output_text, turns, usage };
    }
    for (const { call_id, name, arguments: given } of calls) {
      input.push({ type: "function_call", call_id, name, arguments: given });
      input.push({ type: "function_call_output", call_id, output: read(JSON.parse(given)) });
    }
  }
}

console.log(JSON.stringify(await { chat, responses }[process.argv[2]]()));
