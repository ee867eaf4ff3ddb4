using System.Diagnostics;
using System.Globalization;
using Virtigo.Host;
using Virtigo.Images;

namespace Virtigo.Bench;

/// <summary>A compressed export against <c>qemu-img convert -c</c> as people type it, in turns: time and size.</summary>
internal static class ConvertBench
{
    private const int Rounds = 3;

    /// <summary>Measures.</summary>
    /// <param name="image">The name of an image in the store, or a qcow2 disk.</param>
    public static async Task RunAsync(string image)
    {
        string disk = File.Exists(image) ? Path.GetFullPath(image) : new ImageStore(HostPaths.FromEnvironment()).Find(image).DiskPath;
        string folder = Directory.CreateTempSubdirectory("virtigo-bench-").FullName;
        try
        {
            string plain = Path.Combine(folder, "plain.qcow2"), ours = Path.Combine(folder, "ours.qcow2");
            var plainTimes = new List<double>();
            var ourTimes = new List<double>();
            for (int round = 0; round < Rounds; round++)
            {
                plainTimes.Add(await TimeAsync(["convert", "-c", "-f", "qcow2", "-O", "qcow2", disk, plain]));
                ourTimes.Add(await TimeAsync(DiskExporter.ConvertArguments(disk, ours, new ExportOptions { Compress = true })));
            }

            plainTimes.Sort();
            ourTimes.Sort();
            long plainBytes = new FileInfo(plain).Length, ourBytes = new FileInfo(ours).Length;
            await Tool.RunAsync("qemu-img", ["compare", plain, ours], CancellationToken.None);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"qemu-img convert -c: {plainTimes[Rounds / 2]:0.0} s, {plainBytes >> 20} MiB; virtigo images export --compress: {ourTimes[Rounds / 2]:0.0} s, {ourBytes >> 20} MiB"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"ratio {ourTimes[Rounds / 2] / plainTimes[Rounds / 2]:0.00} in time, {(double)ourBytes / plainBytes:0.000} in size"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<double> TimeAsync(IReadOnlyList<string> arguments)
    {
        long start = Stopwatch.GetTimestamp();
        await QemuImage.RunAsync(arguments, "The disk could not be converted.", null, CancellationToken.None);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
