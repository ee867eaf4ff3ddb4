using System.Globalization;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Makes disk files with <c>qemu-img</c>.</summary>
internal static class QemuImage
{
    /// <summary>Makes an empty qcow2 disk.</summary>
    /// <param name="path">The disk to make.</param>
    /// <param name="bytes">The size that a guest sees, in bytes.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task CreateAsync(string path, long bytes, CancellationToken cancellationToken) =>
        RunAsync(
            ["create", "-q", "-f", "qcow2", Path.GetFullPath(path), bytes.ToString(CultureInfo.InvariantCulture)],
            $"The disk {path} could not be made.", null, cancellationToken);

    /// <summary>Makes a qcow2 disk that begins as a copy of another one and keeps only what is written to it.</summary>
    /// <param name="diskPath">The disk to begin from, qcow2; it must not change while the overlay is used.</param>
    /// <param name="path">The overlay to make.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task CreateOverlayAsync(string diskPath, string path, CancellationToken cancellationToken) =>
        CreateOverlayAsync(diskPath, null, path, cancellationToken);

    /// <summary>The same, of another size; what is beyond the other disk's end is empty.</summary>
    /// <param name="diskPath">The disk to begin from, qcow2; it must not change while the overlay is used.</param>
    /// <param name="bytes">The size that a guest sees, in bytes; null for that of the other disk.</param>
    /// <param name="path">The overlay to make.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task CreateOverlayAsync(string diskPath, long? bytes, string path, CancellationToken cancellationToken) =>
        RunAsync(
            [
                "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", Path.GetFullPath(diskPath), Path.GetFullPath(path),
                .. bytes is { } size ? [size.ToString(CultureInfo.InvariantCulture)] : Array.Empty<string>(),
            ],
            $"The overlay {path} could not be made.", null, cancellationToken);

    /// <summary>Makes an overlay of a disk that is not there yet.</summary>
    /// <param name="diskPath">Where the disk to begin from will be, qcow2; absolute.</param>
    /// <param name="bytes">The size that a guest sees, in bytes.</param>
    /// <param name="path">The overlay to make.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task CreateOverlayUnseenAsync(string diskPath, long bytes, string path, CancellationToken cancellationToken) =>
        RunAsync(
            ["create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", diskPath, Path.GetFullPath(path), bytes.ToString(CultureInfo.InvariantCulture)],
            $"The overlay {path} could not be made.", null, cancellationToken);

    /// <summary>Copies a disk, of whatever format, to a file with its bytes as they are.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it cannot be copied.</exception>
    public static Task CopyRawAsync(string from, string to, CancellationToken cancellationToken) =>
        RunAsync(["convert", "-O", "raw", from, to], $"The disk {from} could not be copied.", null, cancellationToken);

    /// <summary>Runs <c>qemu-img</c>; it is killed when the token is cancelled or Virtigo ends.</summary>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="failure">What to say did not work.</param>
    /// <param name="onOutput">Given each piece of its output as it comes, or null.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <exception cref="VirtigoException">It failed or is not installed (<see cref="FailureKind.Host"/>).</exception>
    public static async Task RunAsync(
        IReadOnlyList<string> arguments, string failure, Action<string>? onOutput, CancellationToken cancellationToken)
    {
        var command = new ChildCommand("qemu-img", arguments)
        {
            PipeOutput = true,
            Environment = new Dictionary<string, string> { ["LC_ALL"] = "C.UTF-8" },
        };
        await using ChildProcess child = await ChildProcess.StartAsync(command, cancellationToken);
        byte[] buffer = new byte[4096];
        for (int count; (count = await child.Output.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            onOutput?.Invoke(Encoding.ASCII.GetString(buffer, 0, count));
        }

        if (await child.Exited.WaitAsync(cancellationToken) != 0)
        {
            throw new VirtigoException(FailureKind.Host, $"{failure} qemu-img said: {child.ErrorTail.Trim()}", $"Rerun: {command}");
        }
    }
}
