using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

/// <summary>The other end of a QMP connection, scripted by the test.</summary>
internal sealed class FakeQmpServer : IAsyncDisposable
{
    public const string Greeting = """{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}""";
    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;

    public FakeQmpServer()
    {
        (NetworkStream ours, _stream) = SocketPair.Create();
        Client = ours;
        _reader = new StreamReader(_stream, Encoding.UTF8);
    }

    public NetworkStream Client { get; }

    public async Task SayAsync(string line) => await _stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\r\n"));

    public async Task SayAsync(ReadOnlyMemory<byte> bytes) => await _stream.WriteAsync(bytes);

    public async Task<(string Command, long Id)> HearAsync()
    {
        using JsonDocument command = JsonDocument.Parse(await HearLineAsync());
        return (command.RootElement.GetProperty("execute").GetString()!, command.RootElement.GetProperty("id").GetInt64());
    }

    public async Task<string> HearLineAsync() => (await _reader.ReadLineAsync())!;

    public async Task GreetAsync()
    {
        await SayAsync(Greeting);
        (string command, long id) = await HearAsync();
        Assert.Equal("qmp_capabilities", command);
        await AnswerAsync(id, "{}");
    }

    public Task AnswerAsync(long id, string value) => SayAsync($$"""{"return": {{value}}, "id": {{id}}}""");

    public Task EventAsync(string name, string data) =>
        SayAsync($$"""{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "{{name}}", "data": {{data}}}""");

    public ValueTask DisposeAsync() => _stream.DisposeAsync();
}
