using System.Security.Cryptography;

namespace Virtigo.Images;

/// <summary>The SHA-256 of a disk file.</summary>
internal static class DiskHash
{
    private const int BufferSize = 1024 * 1024;

    /// <summary>Reads the whole file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="progress">Told the part done, 0 to 1.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task<string> ComputeAsync(string path, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0,
            FileOptions.SequentialScan);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(BufferSize);
        long length = Math.Max(1, file.Length);
        int count;
        while ((count = await file.ReadAsync(buffer, cancellationToken)) > 0)
        {
            hash.AppendData(buffer, 0, count);
            progress?.Report(Math.Min(1, (double)file.Position / length));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
