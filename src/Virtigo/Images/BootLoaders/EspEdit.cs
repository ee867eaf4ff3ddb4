using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Puts a program onto a FAT, by mtools on a copy: what differs then is what has to be written to the disk.</summary>
internal static class EspEdit
{
    /// <summary>What puts a program in the removable path.</summary>
    /// <exception cref="VirtigoException">It does not fit, or mtools is not installed (<see cref="FailureKind.Host"/>).</exception>
    public static async Task<List<DiskChange>> InstallAsync(BootDisk disk, BootVolume esp, byte[] program, CancellationToken cancellationToken)
    {
        DirectoryInfo work = Directory.CreateTempSubdirectory("virtigo-esp-");
        try
        {
            string copy = Path.Combine(work.FullName, "esp");
            string file = Path.Combine(work.FullName, "program");
            await File.WriteAllBytesAsync(file, program, cancellationToken);
            await CopyAsync(disk, esp.Partition, copy, cancellationToken);
            string at = "";
            foreach (string folder in (string[])["EFI", "BOOT"])
            {
                if (!esp.Files!.Names(at.Length == 0 ? "/" : at).Contains(folder, StringComparer.OrdinalIgnoreCase))
                {
                    await RunAsync("mmd", ["-i", copy, $"::{at}/{folder}"], program.Length, esp, cancellationToken);
                }

                at += "/" + folder;
            }

            await RunAsync("mcopy", ["-n", "-o", "-i", copy, file, "::" + UefiPlace.Path], program.Length, esp, cancellationToken);
            using var after = new RawDisk(copy);
            return DiskChange.Between(disk.Content, esp.Partition.Start, after, cancellationToken);
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static async Task CopyAsync(BootDisk disk, Partition partition, string path, CancellationToken cancellationToken)
    {
        const int piece = 1 << 16;
        byte[] buffer = new byte[piece];
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        file.SetLength(partition.Length);
        for (long at = 0; at < partition.Length; at += piece)
        {
            at = (disk.Content.NextData(partition.Start + at) - partition.Start) / piece * piece;
            int count = (int)Math.Min(piece, partition.Length - at);
            if (count <= 0)
            {
                break;
            }

            disk.Content.Read(partition.Start + at, buffer.AsSpan(0, count));
            if (buffer.AsSpan(0, count).ContainsAnyExcept((byte)0))
            {
                file.Position = at;
                await file.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            }
        }
    }

    private static async Task RunAsync(string tool, IReadOnlyList<string> arguments, int bytes, BootVolume esp, CancellationToken cancellationToken)
    {
        var command = new ChildCommand(tool, arguments)
        {
            Environment = new Dictionary<string, string> { ["MTOOLS_SKIP_CHECK"] = "1", ["MTOOLSRC"] = "/dev/null" },
        };
        ToolResult result = await Tool.TryRunAsync(command, default, cancellationToken);
        if (result.ExitCode != 0)
        {
            throw new VirtigoException(FailureKind.Host,
                $"The boot loader, {bytes >> 10} KiB, could not be put onto the EFI system partition of {esp.Range.Length >> 20} MiB: {result.Error.Trim()}",
                "Make room on it, or make it larger.");
        }
    }
}
