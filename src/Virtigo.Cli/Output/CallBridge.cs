using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Virtigo.Environments;

namespace Virtigo.Cli.Output;

/// <summary>Joins this process's standard streams and a program, connection or console of a machine.</summary>
internal static class CallBridge
{
    private const int Piece = 32 << 10;

    /// <summary>The exit code when nobody reads our output any more, as shells have it.</summary>
    public const int BrokenPipe = 141;

    /// <summary>Whether a person sits at both ends: what is typed and what is shown.</summary>
    public static bool OnTerminal => !Console.IsInputRedirected && !Console.IsOutputRedirected;

    /// <summary>Carries bytes both ways until the other side ends.</summary>
    /// <param name="call">The other side; not disposed.</param>
    /// <param name="raw">This terminal is the program's: keys go on as they are, and changes of its size too.</param>
    /// <param name="sysRq">The other side is a console: <see cref="ConsoleKeys"/> leave it, and give this SysRq commands. Null: every key is the program's.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The exit code; null: the person left.</returns>
    public static async Task<int?> RunAsync(GuestCall call, bool raw, Func<char, CancellationToken, Task>? sysRq, CancellationToken cancellationToken)
    {
        using var left = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var standardInput = new SafeFileHandle(0, ownsHandle: false);

        // Not the console's own stream: of a terminal, that one reads whole lines, echoes them and keeps Ctrl-].
        await using var typed = new FileStream(standardInput, FileAccess.Read, bufferSize: 0);
        await using Stream output = new DescriptorWriter(1);
        await using Stream error = new DescriptorWriter(2);
        using (raw ? RawTerminal.Enter() : null)
        using (raw ? FollowSize(call, left.Token) : null)
        {
            // A read of a terminal cannot be cancelled: it has a task of its own, which is left behind.
            _ = Task.Run(() => TypeAsync(typed, call, sysRq, left), CancellationToken.None);
            try
            {
                return await call.RunAsync(output, error, left.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return null;
            }
            catch (IOException)
            {
                // Whoever read our output is gone, as with `| head`: so is the program, silently, as a shell would have it.
                return BrokenPipe;
            }
        }
    }

    /// <summary>Passes on what a program writes, and lets it read nothing.</summary>
    public static async Task<int> ShowAsync(GuestCall call, CancellationToken cancellationToken)
    {
        await using Stream output = new DescriptorWriter(1);
        await using Stream error = new DescriptorWriter(2);
        try
        {
            return await call.RunAsync(output, error, cancellationToken);
        }
        catch (IOException)
        {
            return BrokenPipe;
        }
    }

    private static PosixSignalRegistration FollowSize(GuestCall call, CancellationToken cancellationToken)
    {
        return PosixSignalRegistration.Create(PosixSignal.SIGWINCH, Changed);

        void Changed(PosixSignalContext context) => _ = ResizeAsync(call, cancellationToken);
    }

    private static async Task ResizeAsync(GuestCall call, CancellationToken cancellationToken)
    {
        (int columns, int rows) = Terminal.Size();
        try
        {
            await call.ResizeAsync(columns, rows, cancellationToken);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The program has ended.
        }
    }

    private static async Task TypeAsync(Stream typed, GuestCall call, Func<char, CancellationToken, Task>? sysRq, CancellationTokenSource left)
    {
        var keys = new ConsoleKeys();
        byte[] buffer = new byte[Piece];
        try
        {
            for (int read; (read = await typed.ReadAsync(buffer, left.Token)) > 0;)
            {
                ReadOnlyMemory<byte> all = buffer.AsMemory(0, read);
                foreach (TypedPart part in sysRq is null ? [new TypedPart(all, null, false)] : keys.Split(all))
                {
                    await call.WriteAsync(part.Plain, left.Token);
                    if (part.SysRq is { } key)
                    {
                        await sysRq!(key, left.Token);
                    }

                    if (part.Leaves)
                    {
                        await left.CancelAsync();
                        return;
                    }
                }
            }

            await call.EndInputAsync(left.Token);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException or OperationCanceledException or UnauthorizedAccessException)
        {
            // The program has ended, or standard input cannot be read.
        }
    }
}
