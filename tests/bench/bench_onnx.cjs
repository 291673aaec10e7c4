// Warm compute of an ONNX file by ONNX Runtime (npm package onnxruntime-node), one inference per
// line "run" on standard input: the same protocol as bench_kernels.
// usage: node bench_onnx.cjs MODEL.onnx THREADS INPUT.f32 OUTPUT.f32 DIMENSION...
const fs = require('fs');
const readline = require('readline');
const ort = require('onnxruntime-node');

async function main([model, threads, input, output, ...dimensions]) {
    const session = await ort.InferenceSession.create(model, {
        intraOpNumThreads: Number(threads),
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
    });
    const bytes = fs.readFileSync(input);
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const feeds = {};
    feeds[session.inputNames[0]] = new ort.Tensor('float32', values, dimensions.map(Number));
    let result = values;
    for await (const _ of readline.createInterface({input: process.stdin})) {
        const begin = process.hrtime.bigint();
        const outputs = await session.run(feeds);
        process.stdout.write(`${process.hrtime.bigint() - begin}\n`);
        result = outputs[session.outputNames[0]].data;
    }
    fs.writeFileSync(output, Buffer.from(result.buffer, result.byteOffset, result.byteLength));
}

main(process.argv.slice(2)).catch((error) => {
    console.error(`bench_onnx: ${error.message}`);
    process.exit(1);
});
