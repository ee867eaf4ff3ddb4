using System.Text;

namespace Virtigo.Machines;

/// <summary>The channel broke before a command was started: it can be given again.</summary>
/// <param name="broken">What happened.</param>
internal sealed class CommandNotStartedException(VirtigoException broken) : IOException(broken.Message, broken);

/// <summary>Runs commands over the stream channel.</summary>
/// <param name="channel">The channel, ready; not disposed.</param>
/// <param name="clock">Measures.</param>
internal sealed class ChannelShell(GuestChannel channel, TimeProvider clock) : IGuestShell
{
    private const int StateLimit = 4096;

    /// <inheritdoc/>
    public async Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        long start = clock.GetTimestamp();
        GuestStream stream = channel.Open(GuestFrameType.Command, GuestFrame.Command(["/bin/sh", "-c", command], options, interactive: false));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task feeding = FeedAsync(stream, options, ended.Token);
        var passing = new Lock();
        Task<(byte[] Kept, bool Cut)> output = CollectAsync(stream, isError: false, options, passing, ended.Token);
        Task<(byte[] Kept, bool Cut)> error = CollectAsync(stream, isError: true, options, passing, ended.Token);
        try
        {
            int code = await stream.Exited.WaitAsync(cancellationToken);
            (byte[] said, bool cut) = await output;
            (byte[] complained, bool cutToo) = await error;
            return new CommandResult(code, Encoding.UTF8.GetString(said), Encoding.UTF8.GetString(complained), cut || cutToo, clock.GetElapsedTime(start));
        }
        catch (VirtigoException broken) when (broken.InnerException is ChannelBrokenException && !stream.Accepted.IsCompletedSuccessfully)
        {
            throw new CommandNotStartedException(broken);
        }
        finally
        {
            stream.Kill();
            await ended.CancelAsync();
            await Task.WhenAll(feeding, output, error).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc/>
    public async Task<GuestProcess> StartAsync(IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken)
    {
        GuestStream stream = await OpenAsync(
            GuestFrameType.Command, GuestFrame.Command(arguments, options, interactive: true), $"\"{arguments[0]}\" cannot be started", cancellationToken);
        return new GuestProcess(new GuestInput(stream), stream.Output, stream.Error, stream.Exited, stream);
    }

    /// <inheritdoc/>
    public async Task<Stream> ConnectAsync(string target, CancellationToken cancellationToken) =>
        new GuestConnection(await OpenAsync(
            GuestFrameType.Connect, Encoding.UTF8.GetBytes(target), $"Nothing can be connected to at {target} in the guest", cancellationToken));

    /// <inheritdoc/>
    public async Task WaitAsync(GuestCondition condition, Action<string> seen, CancellationToken cancellationToken)
    {
        GuestStream stream = channel.Open(GuestFrameType.Watch, GuestFrame.Watch(condition));
        try
        {
            string last = await ReadStatesAsync(stream.Output, seen, cancellationToken);
            int code = await stream.Exited.WaitAsync(cancellationToken);
            if (code != 0)
            {
                throw new VirtigoException(FailureKind.Guest, $"Waited for {condition.Description}, which does not happen any more: {last}");
            }
        }
        catch (ChannelBrokenException)
        {
            await stream.Exited;
        }
        finally
        {
            stream.Kill();
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static async Task<string> ReadStatesAsync(Stream states, Action<string> seen, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[StateLimit];
        string last = "";
        for (int read; (read = await states.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            string[] lines = ConsoleText.Printable(Encoding.UTF8.GetString(buffer, 0, read)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (lines.Length > 0)
            {
                last = lines[^1];
                seen(last);
            }
        }

        return last;
    }

    private static async Task FeedAsync(GuestStream stream, CommandOptions options, CancellationToken cancellationToken)
    {
        if (options.Input.Length == 0 && options.InputStream is null)
        {
            return;
        }

        try
        {
            await stream.WriteAsync(options.Input, cancellationToken);
            if (options.InputStream is { } input)
            {
                byte[] buffer = new byte[GuestFrame.Piece];
                for (int read; (read = await input.ReadAsync(buffer, cancellationToken)) > 0;)
                {
                    await stream.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                }
            }

            stream.EndInput();
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // It ended before it had read all, which is its own business.
            stream.EndInput();
        }
    }

    private static async Task<(byte[] Kept, bool Cut)> CollectAsync(
        GuestStream stream, bool isError, CommandOptions options, Lock passing, CancellationToken cancellationToken)
    {
        GuestReceiver receiver = isError ? stream.Error : stream.Output;
        using var kept = new MemoryStream();
        byte[] buffer = new byte[GuestFrame.Piece];
        bool cut = false;
        for (int read; (read = await receiver.ReadAsync(buffer.AsMemory(), cancellationToken)) > 0;)
        {
            int keep = (int)Math.Min(read, options.OutputLimit - kept.Length);
            kept.Write(buffer, 0, keep);
            cut |= keep < read;
            try
            {
                lock (passing)
                {
                    options.OnOutput?.Invoke(buffer.AsMemory(0, read), isError);
                }
            }
            catch
            {
                // The callback's failure is the command's end.
                stream.Kill();
                throw;
            }
        }

        return (kept.ToArray(), cut);
    }

    private async Task<GuestStream> OpenAsync(byte type, byte[] payload, string failure, CancellationToken cancellationToken)
    {
        GuestStream stream = channel.Open(type, payload);
        try
        {
            await stream.Accepted.WaitAsync(cancellationToken);
            return stream;
        }
        catch (OperationCanceledException)
        {
            stream.Kill();
            throw;
        }
        catch (VirtigoException error) when (error.InnerException is not ChannelBrokenException)
        {
            throw new VirtigoException(FailureKind.Guest, $"{failure}: {error.Message}", inner: error);
        }
    }
}
