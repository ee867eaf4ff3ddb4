using System.Net.Sockets;
using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>
/// Saves a guest's state and loads it again: QEMU's migration, with the memory left in its file (<c>x-ignore-shared</c>). It goes
/// through a socket, since this QEMU knows no files for it and may start no programs.
/// </summary>
internal static class QemuState
{
    private const long SizeLimit = 64L << 30;
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(60);

    /// <summary>Saves the state of a paused guest.</summary>
    /// <param name="qmp">The guest's QEMU.</param>
    /// <param name="socket">A path for a socket; gone when this returns.</param>
    /// <param name="path">The file to make.</param>
    /// <param name="withoutMemory">The memory is in a shared file, and stays there.</param>
    /// <param name="cancellationToken">Ends the saving; the file is then removed.</param>
    /// <exception cref="IOException">QEMU ended, or gave the state up.</exception>
    /// <exception cref="QmpException">QEMU refused.</exception>
    public static async Task SaveAsync(QmpClient qmp, string socket, string path, bool withoutMemory, CancellationToken cancellationToken)
    {
        using QmpSubscription events = qmp.Subscribe();
        await SetCapabilitiesAsync(qmp, withoutMemory, cancellationToken);

        // QEMU's default is meant for networks between hosts.
        await qmp.ExecuteAsync("migrate-set-parameters", writer => writer.WriteNumber("max-bandwidth", 1L << 40), cancellationToken);
        try
        {
            using var listener = new UnixListener(socket);
            await qmp.ExecuteAsync("migrate", writer => writer.WriteString("uri", "unix:" + socket), cancellationToken);
            await using Stream state = await listener.AcceptAsync(cancellationToken);
            await using FileStream file = Create(path);
            await CopyAsync(state, file, cancellationToken);
            await CompletedAsync(events, cancellationToken);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Loads a state into a QEMU that waits for one; the guest is paused then.</summary>
    /// <param name="qmp">The QEMU, started with <c>-incoming defer</c>.</param>
    /// <param name="socket">A path for a socket; gone when this returns.</param>
    /// <param name="path">The state.</param>
    /// <param name="withoutMemory">The memory is not in the state, but in the guest's memory file.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <exception cref="IOException">QEMU ended, or cannot use the state.</exception>
    /// <exception cref="QmpException">QEMU refused.</exception>
    public static async Task LoadAsync(QmpClient qmp, string socket, string path, bool withoutMemory, CancellationToken cancellationToken)
    {
        using QmpSubscription events = qmp.Subscribe();
        await SetCapabilitiesAsync(qmp, withoutMemory, cancellationToken);
        try
        {
            await qmp.ExecuteAsync("migrate-incoming", writer => writer.WriteString("uri", "unix:" + socket), cancellationToken);
            using var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellationToken);
            await using (var stream = new NetworkStream(connection))
            await using (FileStream file = File.OpenRead(path))
            {
                await file.CopyToAsync(stream, 1 << 20, cancellationToken);
            }

            connection.Close();
            await CompletedAsync(events, cancellationToken);
        }
        catch (SocketException error)
        {
            throw new IOException("QEMU does not take the saved state: " + error.Message, error);
        }
        finally
        {
            File.Delete(socket);
        }
    }

    private static async Task SetCapabilitiesAsync(QmpClient qmp, bool withoutMemory, CancellationToken cancellationToken) =>
        await qmp.ExecuteAsync("migrate-set-capabilities", writer =>
        {
            writer.WriteStartArray("capabilities");
            foreach ((string capability, bool state) in new[] { ("events", true), ("x-ignore-shared", withoutMemory) })
            {
                writer.WriteStartObject();
                writer.WriteString("capability", capability);
                writer.WriteBoolean("state", state);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }, cancellationToken);

    private static async Task CompletedAsync(QmpSubscription events, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(EndLimit);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await foreach (QmpEvent value in events.ReadAsync(either.Token))
            {
                switch (value.Name == "MIGRATION" && value.Data.ValueKind == JsonValueKind.Object ? QmpMessage.Text(value.Data, "status") : null)
                {
                    case "completed":
                        return;
                    case "failed":
                        throw new IOException("QEMU failed to pass the state on.");
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"QEMU did not pass the state on within {EndLimit.TotalSeconds} s.");
        }

        throw new IOException("QEMU ended while it passed the state on.");
    }

    private static async Task CopyAsync(Stream state, FileStream file, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[1 << 20];
        long total = 0;
        for (int read; (read = await state.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            total += read;
            if (total > SizeLimit)
            {
                throw new IOException($"QEMU's state is larger than {SizeLimit} bytes.");
            }

            await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }
    }

    private static FileStream Create(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.Create,
        Access = FileAccess.Write,
        Options = FileOptions.Asynchronous,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });
}
