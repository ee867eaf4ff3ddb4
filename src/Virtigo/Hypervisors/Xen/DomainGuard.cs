using Virtigo.Host;

namespace Virtigo.Hypervisors.Xen;

/// <summary>
/// Destroys a domain when this process is killed: a domain is nobody's child, and xl, which is ours, takes none with it. The guard is the child of
/// a child, so that it outlives us; that its input ends without a word is how it learns of our end.
/// </summary>
internal sealed class DomainGuard : IAsyncDisposable
{
    // A domain that is being made when we die may get its name only after a moment.
    private const string Script = """
        exec 3<&0
        { read -r word <&3 && exit
          for each in 1 2 3 4 5; do xl destroy "$1" && exit; sleep 1; done
        } </dev/null >/dev/null 2>&1 &
        exec 3<&-
        wait
        """;

    private readonly ChildProcess _child;

    private DomainGuard(ChildProcess child) => _child = child;

    /// <summary>Begins to guard a domain that is not made yet.</summary>
    public static async Task<DomainGuard> StartAsync(string domain, CancellationToken cancellationToken) =>
        new(await ChildProcess.StartAsync(new ChildCommand("sh", ["-c", Script, "guard", domain]) { PipeInput = true }, cancellationToken));

    /// <summary>Ends the guard: the domain is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await _child.Input.WriteAsync("done\n"u8.ToArray());
            await _child.Input.FlushAsync();
        }
        catch (IOException)
        {
            // It has ended already.
        }

        await _child.Exited;
        await _child.DisposeAsync();
    }
}
