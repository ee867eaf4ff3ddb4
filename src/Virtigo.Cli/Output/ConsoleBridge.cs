namespace Virtigo.Cli.Output;

/// <summary>Joins a machine's serial console and a terminal.</summary>
internal static class ConsoleBridge
{
    /// <summary>Carries bytes both ways until the person leaves or the machine ends. The end of the input alone ends nothing.</summary>
    /// <param name="console">The machine's console.</param>
    /// <param name="input">What is typed.</param>
    /// <param name="output">Where the machine's output goes.</param>
    /// <param name="sysRq">Gives the machine's kernel a SysRq command.</param>
    /// <param name="ended">Completes when the machine has ended.</param>
    /// <param name="cancellationToken">Ends it too.</param>
    /// <returns>Whether the person left; false: the machine ended.</returns>
    public static async Task<bool> RunAsync(
        Stream console, Stream input, Stream output, Func<char, CancellationToken, Task> sysRq, Task ended, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task showing = ShowAsync(console, output, stop.Token);

        // A read of a terminal cannot be cancelled: it has a task of its own, which is left behind.
        Task<bool> typing = Task.Run(() => TypeAsync(input, console, sysRq, stop.Token), CancellationToken.None);
        var cancelled = new TaskCompletionSource();
        await using (cancellationToken.Register(() => cancelled.TrySetResult()))
        {
            Task first = await Task.WhenAny(typing, ended, cancelled.Task);
            if (first == typing && !typing.Result)
            {
                first = await Task.WhenAny(ended, cancelled.Task);
            }

            if (first == ended)
            {
                await showing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await stop.CancelAsync();
            await showing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            return first == typing;
        }
    }

    private static async Task ShowAsync(Stream console, Stream output, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[4096];
        for (int read; (read = await console.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            await output.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            await output.FlushAsync(cancellationToken);
        }
    }

    /// <summary>True: the person left; false: the input ended.</summary>
    private static async Task<bool> TypeAsync(
        Stream input, Stream console, Func<char, CancellationToken, Task> sysRq, CancellationToken cancellationToken)
    {
        var keys = new ConsoleKeys();
        byte[] buffer = new byte[1024];
        try
        {
            for (int read; (read = await input.ReadAsync(buffer, cancellationToken)) > 0;)
            {
                foreach (TypedPart part in keys.Split(buffer.AsMemory(0, read)))
                {
                    await console.WriteAsync(part.Plain, cancellationToken);
                    await console.FlushAsync(cancellationToken);
                    if (part.SysRq is { } key)
                    {
                        await sysRq(key, cancellationToken);
                    }

                    if (part.Leaves)
                    {
                        return true;
                    }
                }
            }
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException or OperationCanceledException or VirtigoException { Kind: FailureKind.Guest })
        {
            return false;
        }

        return false;
    }
}
