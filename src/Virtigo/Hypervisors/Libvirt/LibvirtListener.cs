using System.Text;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>A client that stays and tells what happens, line by line.</summary>
internal sealed class LibvirtListener : IAsyncDisposable
{
    private readonly ChildProcess _child;

    private LibvirtListener(ChildProcess child, Action<string> line) => (_child, Ended) = (child, ListenAsync(child, line));

    /// <summary>Completes, never faults, when the client has ended and everything it told was handed on.</summary>
    public Task Ended { get; }

    /// <summary>The command.</summary>
    public ChildCommand Command => _child.Command;

    /// <summary>The process id of the client.</summary>
    public int Id => _child.Id;

    /// <summary>The last of what the client said on its standard error.</summary>
    public string Said => _child.ErrorTail;

    /// <summary>Starts a client.</summary>
    /// <param name="command">The command.</param>
    /// <param name="input">What it reads from its standard input.</param>
    /// <param name="line">Is given each line, one after the other; one that is too long is left out.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<LibvirtListener> StartAsync(
        ChildCommand command, ReadOnlyMemory<byte> input, Action<string> line, CancellationToken cancellationToken)
    {
        ChildProcess child = await ChildProcess.StartAsync(command with { PipeInput = true, PipeOutput = true }, cancellationToken);
        var listener = new LibvirtListener(child, line);
        try
        {
            await using Stream stream = child.Input;
            await stream.WriteAsync(input, cancellationToken);
        }
        catch (IOException)
        {
            // It ended without reading all: what it said tells why.
        }
        catch
        {
            await listener.DisposeAsync();
            throw;
        }

        return listener;
    }

    /// <summary>Ends the client. What belongs to its connection goes with it.</summary>
    public void Kill() => _child.Kill();

    /// <summary>Ends the client and waits for its end.</summary>
    public async ValueTask DisposeAsync()
    {
        _child.Kill();
        await Ended;
        await _child.DisposeAsync();
    }

    private static async Task ListenAsync(ChildProcess child, Action<string> line)
    {
        var reader = new BoundedLineReader(child.Output, LibvirtEvent.LineLimit);
        while (true)
        {
            try
            {
                if (await reader.ReadAsync(CancellationToken.None) is not { } bytes)
                {
                    break;
                }

                line(Encoding.UTF8.GetString(bytes.Span));
            }
            catch (InvalidDataException)
            {
                // The next one begins after it.
            }
            catch (Exception error) when (error is IOException or ObjectDisposedException)
            {
                break;
            }
        }

        await child.Exited;
    }
}
