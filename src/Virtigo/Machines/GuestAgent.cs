using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Machines;

/// <summary>What a program in the guest did.</summary>
/// <param name="ExitCode">Its exit code; 128 + n when signal n ended it.</param>
/// <param name="Output">Its standard output.</param>
/// <param name="Error">Its standard error.</param>
/// <param name="Truncated">The agent kept only the beginning of the output or the error.</param>
internal sealed record GuestCommandResult(int ExitCode, byte[] Output, byte[] Error, bool Truncated)
{
    /// <summary>The output as UTF-8.</summary>
    public string OutputText => Encoding.UTF8.GetString(Output);

    /// <summary>The error as UTF-8.</summary>
    public string ErrorText => Encoding.UTF8.GetString(Error);
}

/// <summary>
/// A client of qemu-guest-agent. Commands are carried out one after the other; after one that was given up or answered with
/// nonsense the channel is synchronised again. Every answer is bounded, since the guest may send anything.
/// </summary>
/// <param name="channel">The channel; not disposed.</param>
/// <param name="clock">The clock for waits.</param>
/// <param name="requestLimit">The longest request that surely arrives, in bytes.</param>
internal sealed class GuestAgent(Stream channel, TimeProvider clock, int requestLimit = int.MaxValue) : IDisposable
{
    /// <summary>The longest answer, in bytes; output of a program comes in one answer, as base64.</summary>
    public const int AnswerLimit = 24 << 20;

    private const int Chunk = 64 << 10;
    private const int WriteOverhead = 128;

    // Nobody reads what is asked while the guest boots, and a serial line that was given more than it holds never moves again: asked ever more
    // rarely after these, one that takes an hour is asked 52 times, by 70 bytes each.
    private const int OftenAsked = 20;
    private const byte Delimiter = 0xFF;
    private static readonly TimeSpan SyncRetry = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(1);
    private readonly SemaphoreSlim _turn = new(1);
    private readonly BoundedLineReader _reader = new(channel, AnswerLimit);
    private Task<ReadOnlyMemory<byte>?>? _reading;
    private bool _synchronised;
    private int _unanswered;

    /// <summary>A client of a guest's agent. The guest was started with one.</summary>
    public static GuestAgent Of(IGuest guest, TimeProvider clock) => new(guest.Agent!, clock, guest.AgentRequestLimit);

    /// <summary>Waits until the agent answers, asking again every two seconds, and ever more rarely after forty. Cancel it to give up.</summary>
    /// <exception cref="IOException">The channel broke: the guest has ended.</exception>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await SynchroniseAsync(cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Asks whether the agent is there.</summary>
    public Task PingAsync(CancellationToken cancellationToken) => ExecuteAsync("guest-ping", null, cancellationToken);

    /// <summary>Asks the guest's system to power off. It does not say when it is done: the guest's end does.</summary>
    public async Task ShutdownAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await SynchroniseUnlessDoneAsync(cancellationToken);

            // There is no answer on success.
            _synchronised = false;
            await WriteAsync(QmpMessage.Format("guest-shutdown", writer => writer.WriteString("mode", "powerdown")), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Runs a program in the guest, as its root, and waits for its end.</summary>
    /// <param name="program">Its path in the guest.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="cancellationToken">Ends the wait; the program goes on.</param>
    /// <exception cref="GuestAgentException">The agent cannot start the program.</exception>
    /// <exception cref="InvalidDataException">The agent answers nonsense.</exception>
    /// <exception cref="IOException">The channel broke: the guest has ended.</exception>
    public Task<GuestCommandResult> RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        RunAsync(program, arguments, [], cancellationToken);

    /// <summary>Runs a program in the guest, as its root, with input, and waits for its end.</summary>
    /// <param name="program">Its path in the guest.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="input">What it reads; at most a mebibyte, since it goes in one message.</param>
    /// <param name="cancellationToken">Ends the wait; the program goes on.</param>
    /// <inheritdoc cref="RunAsync(string, IReadOnlyList{string}, CancellationToken)" path="/exception"/>
    public async Task<GuestCommandResult> RunAsync(
        string program, IReadOnlyList<string> arguments, byte[] input, CancellationToken cancellationToken)
    {
        Action<Utf8JsonWriter> exec = Exec(program, arguments, input);
        if (QmpMessage.Format("guest-exec", exec).Length > requestLimit)
        {
            exec = Exec("/bin/sh", [await PutScriptAsync(program, arguments, input, cancellationToken)], []);
        }

        JsonElement started = await ExecuteAsync("guest-exec", exec, cancellationToken);
        long pid = GuestAgentMessage.Number(started, "pid") ?? throw new InvalidDataException("The guest's agent started a program without naming its process.");
        for (TimeSpan pause = TimeSpan.FromMilliseconds(20); ; pause = pause < LongestPoll ? pause * 2 : LongestPoll)
        {
            JsonElement status = await ExecuteAsync("guest-exec-status", writer => writer.WriteNumber("pid", pid), cancellationToken);
            if (GuestAgentMessage.Flag(status, "exited"))
            {
                return Result(status);
            }

            await Task.Delay(pause, clock, cancellationToken);
        }
    }

    /// <summary>Reads a file of the guest.</summary>
    /// <param name="path">Its path in the guest.</param>
    /// <param name="limit">The most to read, in bytes.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="GuestAgentException">The agent cannot read the file.</exception>
    /// <exception cref="InvalidDataException">The file is larger than the limit, or the agent answers nonsense.</exception>
    /// <exception cref="IOException">The channel broke: the guest has ended.</exception>
    public async Task<byte[]> ReadFileAsync(string path, int limit, CancellationToken cancellationToken)
    {
        long handle = await OpenAsync(path, "r", cancellationToken);
        try
        {
            return await ReadAllAsync(path, handle, limit, cancellationToken);
        }
        finally
        {
            await ExecuteAsync("guest-file-close", writer => writer.WriteNumber("handle", handle), cancellationToken);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private static Action<Utf8JsonWriter> Exec(string program, IReadOnlyList<string> arguments, byte[] input) => writer =>
    {
        writer.WriteString("path", program);
        writer.WriteStartArray("arg");
        foreach (string argument in arguments)
        {
            writer.WriteStringValue(argument);
        }

        writer.WriteEndArray();
        if (input.Length > 0)
        {
            writer.WriteBase64String("input-data", input);
        }

        writer.WriteBoolean("capture-output", true);
    };

    /// <summary>Puts a command that is too long for one request into the guest, piece by piece, as a script that removes itself.</summary>
    /// <returns>The script's path.</returns>
    private async Task<string> PutScriptAsync(string program, IReadOnlyList<string> arguments, byte[] input, CancellationToken cancellationToken)
    {
        // The agent makes files that everyone may write; nobody else gets into the folder.
        string folder = "/run/virtigo-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        GuestCommandResult made = await RunAsync("/bin/mkdir", ["-m", "700", folder], cancellationToken);
        if (made.ExitCode != 0)
        {
            throw new InvalidDataException($"The guest has no place for a long command: {made.ErrorText.TrimEnd()}");
        }

        string read = "";
        if (input.Length > 0)
        {
            await WriteFileAsync(folder + "/input", input, cancellationToken);
            read = $"exec <{folder}/input\n";
        }

        string script = folder + "/run";
        await WriteFileAsync(script, Encoding.UTF8.GetBytes($"{read}rm -rf {folder}\nexec {ShellQuote.Command(program, arguments)}\n"), cancellationToken);
        return script;
    }

    private async Task WriteFileAsync(string path, byte[] content, CancellationToken cancellationToken)
    {
        long handle = await OpenAsync(path, "w", cancellationToken);
        int chunk = (requestLimit - WriteOverhead) / 4 * 3;
        for (int done = 0; done < content.Length;)
        {
            int count = Math.Min(chunk, content.Length - done);
            JsonElement written = await ExecuteAsync("guest-file-write", writer =>
            {
                writer.WriteNumber("handle", handle);
                writer.WriteBase64String("buf-b64", content.AsSpan(done, count));
            }, cancellationToken);
            if (GuestAgentMessage.Number(written, "count") != count)
            {
                throw new InvalidDataException($"The guest's agent did not write {path}.");
            }

            done += count;
        }

        await ExecuteAsync("guest-file-close", writer => writer.WriteNumber("handle", handle), cancellationToken);
    }

    private async Task<long> OpenAsync(string path, string mode, CancellationToken cancellationToken)
    {
        JsonElement opened = await ExecuteAsync("guest-file-open", writer =>
        {
            writer.WriteString("path", path);
            writer.WriteString("mode", mode);
        }, cancellationToken);
        return opened.ValueKind == JsonValueKind.Number && opened.TryGetInt64(out long handle) ? handle
            : throw new InvalidDataException("The guest's agent opened a file without a handle.");
    }

    private static GuestCommandResult Result(JsonElement status)
    {
        long code = GuestAgentMessage.Number(status, "exitcode") ?? 128 + (GuestAgentMessage.Number(status, "signal") ?? 0);
        return new GuestCommandResult(
            (int)Math.Clamp(code, int.MinValue, int.MaxValue),
            GuestAgentMessage.Bytes(status, "out-data"),
            GuestAgentMessage.Bytes(status, "err-data"),
            GuestAgentMessage.Flag(status, "out-truncated") || GuestAgentMessage.Flag(status, "err-truncated"));
    }

    private async Task<byte[]> ReadAllAsync(string path, long handle, int limit, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream();
        while (true)
        {
            JsonElement read = await ExecuteAsync("guest-file-read", writer =>
            {
                writer.WriteNumber("handle", handle);
                writer.WriteNumber("count", Chunk);
            }, cancellationToken);
            byte[] bytes = GuestAgentMessage.Bytes(read, "buf-b64");
            if (content.Length + bytes.Length > limit)
            {
                throw new InvalidDataException($"The guest's file {path} is larger than {limit} bytes.");
            }

            content.Write(bytes);
            if (bytes.Length == 0 || GuestAgentMessage.Flag(read, "eof"))
            {
                return content.ToArray();
            }
        }
    }

    private async Task<JsonElement> ExecuteAsync(string command, Action<Utf8JsonWriter>? arguments, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await SynchroniseUnlessDoneAsync(cancellationToken);
            _synchronised = false;
            await WriteAsync(QmpMessage.Format(command, arguments), cancellationToken);
            ReadOnlyMemory<byte> line = await ReadLineAsync(cancellationToken);
            try
            {
                JsonElement answer = GuestAgentMessage.ParseAnswer(command, line);
                _synchronised = true;
                return answer;
            }
            catch (GuestAgentException)
            {
                _synchronised = true;
                throw;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private Task SynchroniseUnlessDoneAsync(CancellationToken cancellationToken) =>
        _synchronised ? Task.CompletedTask : SynchroniseAsync(cancellationToken);

    private async Task SynchroniseAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            using var retry = new CancellationTokenSource(SyncRetry * Math.Pow(1.2, Math.Max(0, _unanswered - OftenAsked)), clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(retry.Token, cancellationToken);
            try
            {
                _unanswered++;
                long id = RandomNumberGenerator.GetInt32(int.MaxValue);

                // The delimiter ends whatever half a command the agent may have read before.
                await WriteAsync([Delimiter, .. QmpMessage.Format("guest-sync-delimited", writer => writer.WriteNumber("id", id))], either.Token);
                while (!await AnswersAsync(id, either.Token))
                {
                }

                _synchronised = true;
                return;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Not there yet: ask again.
            }
        }
    }

    private async Task<bool> AnswersAsync(long id, CancellationToken cancellationToken)
    {
        try
        {
            ReadOnlyMemory<byte> line = await ReadLineAsync(cancellationToken);
            JsonElement answer = GuestAgentMessage.ParseAnswer("guest-sync-delimited", line[(line.Span.LastIndexOf(Delimiter) + 1)..]);
            return answer.ValueKind == JsonValueKind.Number && answer.TryGetInt64(out long said) && said == id;
        }
        catch (Exception error) when (error is InvalidDataException or GuestAgentException)
        {
            // An answer to something earlier, or noise.
            return false;
        }
    }

    private async Task WriteAsync(byte[] message, CancellationToken cancellationToken) => await channel.WriteAsync(message, cancellationToken);

    private async Task<ReadOnlyMemory<byte>> ReadLineAsync(CancellationToken cancellationToken)
    {
        // A wait that was given up leaves its read behind; the next one takes it over, so that no byte is lost.
        _reading ??= _reader.ReadAsync(CancellationToken.None).AsTask();
        Task<ReadOnlyMemory<byte>?> reading = _reading;
        await ((Task)reading).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!reading.IsCompleted)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        _reading = null;
        _unanswered = 0;
        return await reading ?? throw new EndOfStreamException("The guest's agent has gone: its channel is closed.");
    }
}
