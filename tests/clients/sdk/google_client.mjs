// The Google SDK for JavaScript: a buffered answer, a stream, a tool loop. Prints one JSON object.
import { readFileSync } from "node:fs";
import { GoogleGenAI } from "@google/genai";

const client = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY, httpOptions: { timeout: 20_000 } });
const model = "gemini-2.5-flash";
const parametersJsonSchema = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };
const tools = [{ functionDeclarations: [{ name: "read_canary", description: "Read a file", parametersJsonSchema }] }];

const whole = await client.models.generateContent({ model, contents: "PONGTEST say pong" });
let stream = "";
for await (const chunk of await client.models.generateContentStream({ model, contents: "PONGTEST say pong" })) {
  stream += chunk.text ?? "";
}

const contents = [{ role: "user", parts: [{ text: "TOOLTEST read canary.txt" }] }];
let answer = await client.models.generateContent({ model, contents, config: { tools } });
let turns = 1;
for (; answer.functionCalls?.length; turns++) {
  contents.push(answer.candidates[0].content);
  const parts = answer.functionCalls.map(({ id, name, args }) => ({
    functionResponse: { id, name, response: { output: readFileSync(args.path, "utf8") } },
  }));
  contents.push({ role: "user", parts });
  answer = await client.models.generateContent({ model, contents, config: { tools } });
}
const usage = [whole.usageMetadata.promptTokenCount, whole.usageMetadata.candidatesTokenCount];
console.log(JSON.stringify({ text: whole.text, stream, tool: answer.text, turns, usage }));
