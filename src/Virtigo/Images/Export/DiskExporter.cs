using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Writes an image's disk in one of the formats.</summary>
/// <param name="image">The image.</param>
/// <param name="diskPath">The one of its disks that a format for one disk takes.</param>
/// <param name="disk">What the manifest says of that.</param>
/// <param name="path">The name that the result will have; only for messages and for names within an OVA.</param>
internal sealed class DiskExporter(StoredImage image, string diskPath, ImageDisk disk, string path)
{
    private const int Coroutines = 16;

    private string Failure => $"The image {image.Name} could not be exported to {path}.";

    /// <summary>Writes the file; on failure, what is there of it must be deleted.</summary>
    public async Task WriteAsync(string target, ExportOptions options, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        switch (options.Format)
        {
            case DiskFormat.RawZst:
                long size = Size(options);
                await CompressAsync("zstd", ["-q", "-T0", "-c", string.Create(CultureInfo.InvariantCulture, $"--stream-size={size}"), "-"],
                    target, size, progress, cancellationToken);
                break;
            case DiskFormat.RawXz:
                await CompressAsync("xz", ["-q", "-T0", "-c", "-"], target, Size(options), progress, cancellationToken);
                break;
            case DiskFormat.Ova:
                await WriteOvaAsync(target, options, progress, cancellationToken);
                break;
            default:
                await ConvertAsync(target, options, progress, cancellationToken);
                break;
        }
    }

    /// <summary>
    /// The arguments for <c>qemu-img</c>. Compression is what takes the time: more clusters at once, written in the order they are ready, keep every
    /// processor at it. A transport file is read from one end to the other, so there the order stays.
    /// </summary>
    internal static IReadOnlyList<string> ConvertArguments(string source, string target, ExportOptions options) =>
    [
        "convert", "-p",
        .. options.Compress ? ["-c", "-W", "-m", Coroutines.ToString(CultureInfo.InvariantCulture)] : Array.Empty<string>(),
        "-f", "qcow2", "-O", DiskFormats.Driver(options.Format)!,
        .. options.Format is DiskFormat.Vmdk or DiskFormat.Ova ? ["-o", "subformat=streamOptimized,adapter_type=lsilogic"] : Array.Empty<string>(),
        source, target,
    ];

    private long Size(ExportOptions options) => options.DiskBytes ?? disk.VirtualBytes;

    private Task ConvertAsync(string target, ExportOptions options, IProgress<double>? progress, CancellationToken cancellationToken) =>
        ConvertAsync(diskPath, target, options, progress, cancellationToken);

    private async Task ConvertAsync(string from, string target, ExportOptions options, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        string larger = target + ".larger";
        string source = options.DiskBytes is null ? from : larger;
        try
        {
            if (options.DiskBytes is { } bytes)
            {
                await QemuImage.CreateOverlayAsync(from, bytes, larger, cancellationToken);
            }

            await QemuImage.RunAsync(ConvertArguments(source, target, options), Failure, new ConvertProgress(progress).Read, cancellationToken);
        }
        finally
        {
            File.Delete(larger);
        }
    }

    private async Task WriteOvaAsync(string target, ExportOptions options, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        string[] disks = [.. image.Disks.Select((_, index) => FormattableString.Invariant($"{target}-{index}.vmdk"))];
        try
        {
            foreach ((int index, (_, string from, _)) in image.Disks.Index())
            {
                await ConvertAsync(from, disks[index], new ExportOptions { Format = DiskFormat.Ova, DiskBytes = index == 0 ? options.DiskBytes : null }, progress, cancellationToken);
            }

            MachineShape shape = MachineShape.Of(image.Manifest) with { DiskBytes = Size(options) };
            await OvaWriter.WriteAsync(target, Path.GetFileNameWithoutExtension(path), shape, disks, cancellationToken);
        }
        finally
        {
            Array.ForEach(disks, File.Delete);
        }
    }

    /// <summary>Feeds the disk's bytes through a program; nothing but the result is ever written to a disk.</summary>
    private async Task CompressAsync(
        string program, IReadOnlyList<string> arguments, string target, long bytes, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        using var content = Qcow2Disk.Open(diskPath);
        var command = new ChildCommand(program, arguments) { PipeInput = true, PipeOutput = true };
        await using ChildProcess child = await ChildProcess.StartAsync(command, cancellationToken);
        Task feeding = FeedAsync(content, child.Input, bytes, progress, cancellationToken);
        await using (FileStream file = new(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.Asynchronous))
        {
            await child.Output.CopyToAsync(file, 1 << 20, cancellationToken);
        }

        await feeding;
        if (await child.Exited.WaitAsync(cancellationToken) is not 0 and var code)
        {
            throw new VirtigoException(FailureKind.Host, $"{Failure} {program} ended with {code} and said: {child.ErrorTail.Trim()}",
                $"See whether it works at all: echo hello | {program} -T0 -c | {program} -d");
        }
    }

    private static async Task FeedAsync(Qcow2Disk disk, Stream input, long bytes, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        try
        {
            await using (input)
            {
                await disk.CopyToAsync(input, progress, cancellationToken);
                byte[] nothing = new byte[1 << 20];
                for (long rest = bytes - disk.Length; rest > 0; rest -= nothing.Length)
                {
                    await input.WriteAsync(nothing.AsMemory(0, (int)Math.Min(rest, nothing.Length)), cancellationToken);
                }
            }
        }
        catch (IOException)
        {
            // The program ended before it had all: its exit code tells why.
        }
    }
}
